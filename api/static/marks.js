// Small pictures: the mark of a stage and of a kind, the wave of the name, and sparklines.
import { el, svg } from "./dom.js";
import { say, short } from "./words.js";

// Shapes differ as colours do, for who sees few colours.
const STAGES = {
  emerging: "M8 2.5 14.2 13.5H1.8Z",
  peaking: "M8 1.2 14.8 8 8 14.8 1.2 8Z",
  fading: "M8 13.5 1.8 2.5H14.2Z",
  evergreen: "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2Z",
};
const KINDS = {
  sound: "M2 6v4h2.6L8 13V3L4.600 6ZM10.200 5.200a4 4 0 0 1 0 5.600M12.200 3.200a7 7 0 0 1 0 9.600",
  hashtag: "M6.200 2 4.800 14M11.200 2 9.800 14M2.500 5.800h11.500M2 10.200h11.500",
  phrase: "M2 4.200c0-1 .8-1.700 1.700-1.700h8.600c1 0 1.700.8 1.700 1.700v5c0 1-.8 1.700-1.700 1.700H7L4 13.800V11c-1.200 0-2-.8-2-1.800Z",
  format: "M2 3h12v10H2ZM2 10l3.500-3.500L9 10l2-2 3 3",
  challenge: "M5 5.500a2 2 0 1 0 0-.01M11 4.500a1.700 1.700 0 1 0 0-.01M8.500 11.500a2 2 0 1 0 0-.01M5.800 7 7.400 9.800M10.300 6 9.200 9.600M7 5.300l2.400-.5",
};

export function stageMark(stage) {
  return svg("svg", { class: `mark stage-${stage}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: STAGES[stage] ?? STAGES.evergreen }));
}

export function kindMark(kind) {
  return svg("svg", { class: "mark kind", viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: KINDS[kind] ?? KINDS.challenge }));
}

export function stagePill(stage) {
  return el("span", { class: `pill stage-${stage}` }, stageMark(stage), say(stage));
}

export function wave() {
  return svg("svg", { class: "wave", viewBox: "0 0 40 24", "aria-hidden": "true" },
    svg("path", { d: "M1 18c6 0 8-12 14-12s6 8 11 8 7-9 13-9" }), svg("path", { class: "second", d: "M1 22c7 0 9-9 15-9s6 6 10 6 8-6 13-6" }));
}

// Where nine in ten hours are that follow the expectation (Poisson, by its square root).
export function usual(expected) {
  const root = Math.sqrt(Math.max(expected, 0));
  return [Math.max(root - 0.82, 0) ** 2, (root + 0.82) ** 2];
}

const path = (points) => points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

export function linePath(points) {
  return path(points);
}

export function areaPath(upper, lower) {
  return upper.length ? path([...upper, ...[...lower].reverse()]) + "Z" : "";
}

// The last hours of a trend against the range that is usual for them.
export function sparkline(spark, stage) {
  const width = 200, height = 52, low = height - 3;
  const { reels, expected } = spark;
  const bands = expected.map(usual);
  const top = Math.max(...reels, ...bands.map((band) => band[1]), 1);
  const x = (at) => 3 + (at * (width - 8)) / Math.max(reels.length - 1, 1);
  const y = (value) => low - (value / top) * (height - 8);
  const points = reels.map((value, at) => [x(at), y(value)]);
  const last = points[points.length - 1] ?? [0, low];
  const about = say("spark", short(reels[reels.length - 1] ?? 0), short(expected[expected.length - 1] ?? 0), short(Math.max(...reels, 0)));
  return svg("svg", { class: `spark stage-${stage}`, viewBox: `0 0 ${width} ${height}`, role: "img", preserveAspectRatio: "none" },
    svg("title", {}, about),
    svg("path", { class: "band", d: areaPath(bands.map((band, at) => [x(at), y(band[1])]), bands.map((band, at) => [x(at), y(band[0])])) }),
    svg("path", { class: "area", d: areaPath(points, points.map(([at]) => [at, low])) }),
    svg("path", { class: "line", d: path(points), "vector-effect": "non-scaling-stroke" }),
    svg("path", { class: "end", d: `M${last[0].toFixed(1)} ${last[1].toFixed(1)}h.01`, "vector-effect": "non-scaling-stroke" }));
}
