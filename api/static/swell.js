// The swell: each trend by its age and its growth; what is young and fast is at the upper left.
import { el, plain, svg } from "./dom.js";
import { addressOf, place } from "./address.js";
import { say, span, times } from "./words.js";

const EDGE = { left: 40, right: 14, top: 12, bottom: 26 };
const GROWTHS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
const AGES_H = [1, 3, 6, 12, 24, 36, 48, 72, 96, 168, 336, 720, 2160, 8760];
const NAMED = 9;

export function swell(items, now, width, height) {
  const dots = items.map((item) => ({
    item,
    age: Math.max((now - Date.parse(item.started_at)) / 3600000, 0.5),
    growth: Math.min(Math.max(item.growth, 0.8), 1000),
    r: Math.min(4 + Math.sqrt(item.authors) / 3.2, 15),
  }));
  const oldest = Math.max(...dots.map((dot) => dot.age), 12) * 1.4, youngest = Math.min(...dots.map((dot) => dot.age)) * 0.6;
  const most = Math.max(...dots.map((dot) => dot.growth), 5) * 1.5, least = Math.min(...dots.map((dot) => dot.growth), 1) * 0.8;
  const x = (age) => EDGE.left + (Math.log(age / youngest) / Math.log(oldest / youngest)) * (width - EDGE.left - EDGE.right);
  const y = (growth) => height - EDGE.bottom - (Math.log(growth / least) / Math.log(most / least)) * (height - EDGE.top - EDGE.bottom);
  const grid = [];
  for (const growth of GROWTHS.filter((one) => one > least && one < most)) {
    grid.push(svg("line", { class: growth === 1 ? "grid one" : "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(growth), y2: y(growth) }),
      svg("text", { class: "tick", x: EDGE.left - 6, y: y(growth) + 4, "text-anchor": "end" }, times(growth)));
  }
  let free = EDGE.left;
  for (const age of AGES_H.filter((one) => one > youngest && one < oldest)) {
    if (x(age) - 18 < free || x(age) > width - EDGE.right - 12) continue;
    free = x(age) + 40;
    grid.push(svg("text", { class: "tick", x: x(age), y: height - 8, "text-anchor": "middle" }, span(age * 3600000)));
  }
  const rising = (dot) => Number(dot.item.stage === "emerging" || dot.item.stage === "peaking");
  dots.sort((a, b) => rising(a) - rising(b) || b.r - a.r);
  const boxes = dots.map((dot) => box(x(dot.age), y(dot.growth), dot.r * 2, dot.r * 2));
  const shapes = [], names = [];
  for (const dot of dots) {
    const [cx, cy] = [x(dot.age), y(dot.growth)];
    const name = plain(dot.item.name);
    shapes.push(svg("a", { href: addressOf({ ...place(), trend: dot.item.trend_id }), class: `dot stage-${dot.item.stage}`, "data-trend": dot.item.trend_id, tabindex: "-1" },
      svg("title", {}, `${name}: ${say(dot.item.stage)}, ${times(dot.item.growth)}, ${span(dot.age * 3600000)}`),
      svg("circle", { cx, cy, r: dot.r })));
  }
  for (const dot of [...dots].sort((a, b) => rising(b) - rising(a) || b.r - a.r)) {
    if (names.length >= NAMED) break;
    const text = plain(dot.item.name).slice(0, 22);
    const wide = [...text].reduce((sum, one) => sum + (one > "\u2e7f" ? 12.5 : 7), 0);
    const [cx, cy] = [x(dot.age), y(dot.growth)];
    const spots = [[cx + dot.r + 5, cy + 4, "start"], [cx - dot.r - 5, cy + 4, "end"], [cx, cy - dot.r - 6, "middle"], [cx, cy + dot.r + 14, "middle"]];
    for (const [tx, ty, anchor] of spots) {
      const middle = anchor === "start" ? tx + wide / 2 : anchor === "end" ? tx - wide / 2 : tx;
      const taken = box(middle, ty - 4, wide, 13);
      if (taken.left < EDGE.left || taken.right > width - 2 || taken.top < 2 || taken.bottom > height - EDGE.bottom + 4) continue;
      if (boxes.some((one) => one.left < taken.right && taken.left < one.right && one.top < taken.bottom && taken.top < one.bottom)) continue;
      boxes.push(taken);
      names.push(svg("text", { class: `name ${rising(dot) ? "rising" : ""}`, x: tx, y: ty, "text-anchor": anchor, direction: "ltr" }, text));
      break;
    }
  }
  const label = `${say("swell")}. ${say("swell_about")}`;
  return el("figure", { class: "swell" },
    svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label }, ...grid, ...shapes, ...names),
    el("figcaption", {}, el("b", {}, say("swell")), " ", say("swell_about")));
}

function box(x, y, width, height) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}
