// Elements made of values: texts are only ever set as text, so that no caption can become markup.
const SVG_NS = "http://www.w3.org/2000/svg";

function made(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export function el(tag, attributes = {}, ...children) {
  return made(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return made(document.createElementNS(SVG_NS, tag), attributes, children);
}

// A text of unknown origin: whichever way it is written, it does not turn what stands around it.
export function told(text, cut = 200) {
  const shown = plain(text);
  return el("bdi", shown.length > cut ? { title: shown } : {}, shown.length > cut ? shown.slice(0, cut) + "…" : shown);
}

// Without what is not seen but obeyed: controls and overrides of the writing direction.
export function plain(text) {
  return String(text ?? "")
    .replace(/\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]PX^_].*?(?:\u0007|\u001b\\|$)|\u001b[ -/]*[0-~]?/gs, "")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

// Make `parent` have exactly these children, touching no more than needed, so that focus stays.
export function arrange(parent, nodes) {
  const keep = new Set(nodes);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  nodes.forEach((node, at) => {
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
  });
}

export function announce(text) {
  let place = document.getElementById("said");
  if (!place) {
    place = el("div", { id: "said", class: "unseen", role: "status", "aria-live": "polite" });
    document.body.append(place);
  }
  place.textContent = text;
}
