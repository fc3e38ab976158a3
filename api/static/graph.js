// What comes together in a trend: its members as shapes, the reels that hold two of them as lines.
import { el, plain, svg } from "./dom.js";
import { say, short, whole } from "./words.js";

const STEPS = 240;
const SHAPES = {
  sound: (r) => `M0 ${-r}A${r} ${r} 0 1 1 0 ${r}A${r} ${r} 0 1 1 0 ${-r}Z`,
  hashtag: (r) => `M${-r * 0.88} ${-r * 0.88}H${r * 0.88}V${r * 0.88}H${-r * 0.88}Z`,
  phrase: (r) => `M0 ${-r * 1.2}L${r * 1.2} 0 0 ${r * 1.2} ${-r * 1.2} 0Z`,
  format: (r) => `M0 ${-r * 1.15}L${r * 1.1} ${r * 0.8}H${-r * 1.1}Z`,
};

const keyOf = (kind, id) => `${kind}\n${id}`;

export function together(trend, width) {
  const members = trend.members;
  if (members.length < 2) return el("p", { class: "quiet" }, say("no_links"));
  const height = Math.min(330, 150 + members.length * 24);
  const at = new Map(members.map((one, index) => [keyOf(one.kind, one.id), index]));
  const links = trend.links
    .map((one) => ({ a: at.get(keyOf(one.a_kind, one.a_id)), b: at.get(keyOf(one.b_kind, one.b_id)), reels: one.reels ?? 1 }))
    .filter((one) => one.a !== undefined && one.b !== undefined);
  const most = Math.max(...members.map((one) => one.reels), 1), heaviest = Math.max(...links.map((one) => one.reels), 1);
  const radius = members.map((one) => 8 + 17 * Math.sqrt(one.reels / most));
  const most_said = members.length < 5 ? 30 : 20;
  const spots = settled(members.length, links, width, height, radius);
  const lines = links.map((one) => {
    const title = say("link", plain(members[one.a].label), plain(members[one.b].label), whole(one.reels));
    return svg("line", { class: "tie", x1: spots[one.a].x, y1: spots[one.a].y, x2: spots[one.b].x, y2: spots[one.b].y, "stroke-width": (1 + 6 * (one.reels / heaviest)).toFixed(1) }, svg("title", {}, title));
  });
  const shapes = members.map((one, index) => {
    const { x, y } = spots[index];
    const label = plain(one.label) || plain(one.id);
    return svg("g", { class: `node kind-${one.kind}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` },
      svg("title", {}, `${label}: ${say(one.kind)}, ${whole(one.reels)} ${say("reels")}`),
      svg("path", { d: SHAPES[one.kind]?.(radius[index]) ?? SHAPES.sound(radius[index]) }),
      svg("text", { y: radius[index] + 15, "text-anchor": "middle", direction: "ltr" }, label.length > most_said ? label.slice(0, most_said - 1) + "…" : label));
  });
  const words = links.length ? links.map((one) => say("link", plain(members[one.a].label), plain(members[one.b].label), short(one.reels))).join("; ") : say("links_unknown");
  return svg("svg", { class: "graph", viewBox: `0 0 ${width} ${height}`, width, height, role: "img" }, svg("title", {}, words), ...lines, ...shapes);
}

// Places by springs: what has a line attracts, everything repels; the same each time.
function settled(count, links, width, height, radius) {
  const spots = Array.from({ length: count }, (_, at) => {
    const turn = at * 2.399963;
    const far = 26 * Math.sqrt(at);
    return { x: width / 2 + far * Math.cos(turn) * 1.6, y: height / 2 + far * Math.sin(turn), dx: 0, dy: 0 };
  });
  for (let step = 0; step < STEPS; step++) {
    const heat = 9 * (1 - step / STEPS);
    for (let a = 0; a < count; a++) {
      for (let b = a + 1; b < count; b++) {
        const dx = (spots[b].x - spots[a].x) / 1.7, dy = spots[b].y - spots[a].y;
        const push = (9000 / Math.max(dx * dx + dy * dy, 60)) / Math.hypot(dx, dy || 0.1);
        spots[a].dx -= push * dx; spots[a].dy -= push * dy;
        spots[b].dx += push * dx; spots[b].dy += push * dy;
      }
    }
    for (const { a, b } of links) {
      const dx = spots[b].x - spots[a].x, dy = spots[b].y - spots[a].y;
      const pull = 0.012 * (1 - 120 / Math.max(Math.hypot(dx, dy), 1));
      spots[a].dx += pull * dx; spots[a].dy += pull * dy;
      spots[b].dx -= pull * dx; spots[b].dy -= pull * dy;
    }
    spots.forEach((spot, at) => {
      spot.dx += (width / 2 - spot.x) * 0.006; spot.dy += (height / 2 - spot.y) * 0.02;
      const far = Math.max(Math.hypot(spot.dx, spot.dy), 0.01), move = Math.min(far, heat) / far;
      spot.x = Math.min(Math.max(spot.x + spot.dx * move, 66), width - 66);
      spot.y = Math.min(Math.max(spot.y + spot.dy * move, radius[at] + 6), height - radius[at] - 24);
      spot.dx *= 0.5; spot.dy *= 0.5;
    });
  }
  return spots;
}
