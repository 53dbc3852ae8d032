// Building and patching the page. Text only ever goes in as text: nothing here, or anywhere, takes markup.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  add(node, children);
  return node;
}

export function add(node, children) {
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

export function fill(node, ...children) {
  node.replaceChildren();
  return add(node, children);
}

// Equal text is left alone: no layout, and a selection survives.
export function text(node, words) {
  const value = String(words);
  if (node.textContent !== value) node.textContent = value;
}

export function attribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Rows by key: those that stay are patched, and only what is new is made.
export function keyed(parent, items, key, make, patch) {
  const known = new Map();
  for (const child of [...parent.children]) known.set(child.dataset.key, child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let node = known.get(name);
    if (node) known.delete(name);
    else {
      node = make(item);
      node.dataset.key = name;
    }
    patch(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of known.values()) node.remove();
}

let waiting = null;
const jobs = new Map();
// One animation frame a batch; a later job of the same name replaces an earlier one.
export function soon(name, job) {
  jobs.set(name, job);
  waiting ??= requestAnimationFrame(() => {
    waiting = null;
    const all = [...jobs.values()];
    jobs.clear();
    for (const one of all) one();
  });
}
