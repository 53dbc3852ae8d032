"""The report as people read it: on a terminal, as a page, as Markdown, as JSON. All from one `MorningReport`."""
