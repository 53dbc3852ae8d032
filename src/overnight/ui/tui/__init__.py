"""The live screen: how it goes, on a terminal, for somebody who watches."""
