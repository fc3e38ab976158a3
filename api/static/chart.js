// The large chart of a trend: observed, expected with its usual range, forecast, and its stages.
import { el, svg } from "./dom.js";
import { areaPath, linePath, usual } from "./marks.js";
import { clock, day, moment, say, short, whole } from "./words.js";

const HOUR = 3600000;
const PLOT = { left: 46, right: 16, top: 18, bottom: 46 };
const STEPS_H = [1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672];

// Round values from 0 to a little over `top`.
function ticksTo(top, count = 5) {
  const rough = top / count;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 0.1)));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, at) => at * step);
}

// Stretches of hours without gaps.
function stretches(points) {
  const found = [];
  points.forEach((point, at) => {
    if (at && point.at - points[at - 1].at <= HOUR * 1.5) found[found.length - 1].push(point);
    else found.push([point]);
  });
  return found;
}

function within(trend, days) {
  const all = trend.series.map((point) => ({ ...point, at: Date.parse(point.t) }));
  const last = all.length ? all[all.length - 1].at : 0;
  return days ? all.filter((point) => point.at > last - days * 24 * HOUR) : all;
}

export function described(trend, points) {
  if (!points.length) return "";
  const last = points[points.length - 1];
  const text = say("chart_about", moment(points[0].at), moment(last.at), whole(Math.max(...points.map((one) => one.reels))), whole(last.reels), short(last.expected));
  const ahead = trend.forecast.reduce((sum, one) => sum + one.reels, 0);
  return text + (trend.forecast.length ? say("forecast_about", trend.forecast.length, whole(ahead)) : "");
}

export function chart(trend, days, width) {
  const height = width < 560 ? 260 : 340;
  const points = within(trend, days);
  const ahead = trend.forecast.map((point) => ({ ...point, at: Date.parse(point.t) }));
  if (!points.length) return el("p", { class: "quiet" }, "–");
  const from = points[0].at, to = (ahead.length ? ahead[ahead.length - 1] : points[points.length - 1]).at + HOUR / 2;
  const known = Math.max(2, ...points.map((one) => Math.max(one.reels, usual(one.expected)[1])), ...ahead.map((one) => one.reels));
  // What might come shall not make small what has come: the upper end of its range may leave the picture.
  const top = 1.06 * Math.max(known, Math.min(1.5 * known, Math.max(0, ...ahead.map((one) => one.high))));
  const x = (at) => PLOT.left + ((at - from) / (to - from)) * (width - PLOT.left - PLOT.right);
  const y = (value) => height - PLOT.bottom - (value / top) * (height - PLOT.top - PLOT.bottom);
  const mark = (list, value) => list.map((one) => [x(one.at), y(value(one))]);
  const layers = [];
  for (const value of ticksTo(top)) {
    layers.push(svg("line", { class: "grid", x1: PLOT.left, x2: width - PLOT.right, y1: y(value), y2: y(value) }),
      svg("text", { class: "tick", x: PLOT.left - 8, y: y(value) + 4, "text-anchor": "end" }, short(value)));
  }
  layers.push(...timeTicks(from, to, x, height, width));
  for (const part of stretches(points)) {
    layers.push(
      svg("path", { class: "band", d: areaPath(mark(part, (one) => usual(one.expected)[1]), mark(part, (one) => usual(one.expected)[0])) }),
      svg("path", { class: "expected", d: linePath(mark(part, (one) => one.expected)) }),
      svg("path", { class: "area", d: areaPath(mark(part, (one) => one.reels), mark(part, () => 0)) }),
      svg("path", { class: "line", d: linePath(mark(part, (one) => one.reels)) }));
  }
  if (ahead.length) {
    const now = Date.parse(trend.event_time);
    layers.push(
      svg("path", { class: "ahead", d: areaPath(mark(ahead, (one) => Math.min(one.high, top)), mark(ahead, (one) => one.low)) }),
      svg("path", { class: "forecast", d: linePath(mark(ahead, (one) => one.reels)) }),
      svg("line", { class: "now", x1: x(now), x2: x(now), y1: PLOT.top, y2: height - PLOT.bottom }));
  }
  layers.push(...ribbon(trend, from, to, x, height));
  const picture = svg("svg", { class: `chart stage-${trend.stage}`, viewBox: `0 0 ${width} ${height}`, width, height, role: "img" },
    svg("title", {}, described(trend, points)), ...layers);
  return el("div", { class: "charted" }, picture, pointing(picture, [...points, ...ahead], { x, y, width, height }));
}

function timeTicks(from, to, x, height, width) {
  const room = Math.max(2, Math.floor(width / 110));
  const step = (STEPS_H.find((hours) => (to - from) / (hours * HOUR) <= room) ?? 672) * HOUR;
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    if (x(at) < PLOT.left + 4 || x(at) > width - PLOT.right - 8) continue;
    const midnight = at % (24 * HOUR) === 0;
    found.push(svg("line", { class: "notch", x1: x(at), x2: x(at), y1: height - PLOT.bottom, y2: height - PLOT.bottom + 5 }),
      svg("text", { class: midnight ? "tick strong" : "tick", x: x(at), y: height - PLOT.bottom + 18, "text-anchor": "middle" }, midnight ? day(at) : clock(at)));
  }
  return found;
}

// Its stages as a ribbon below the hours, and a flag where it was told first.
function ribbon(trend, from, to, x, height) {
  const y = height - 18;
  const end = Date.parse(trend.event_time);
  const lives = (trend.revisions ?? []).map((one) => ({ stage: one.stage, at: Date.parse(one.event_time) }));
  const found = [];
  lives.forEach((one, at) => {
    const until = at + 1 < lives.length ? lives[at + 1].at : Math.max(end, one.at + HOUR);
    const a = Math.max(one.at, from), b = Math.min(until, to);
    if (b > a) found.push(svg("rect", { class: `ribbon stage-${one.stage}`, x: x(a), y, width: Math.max(x(b) - x(a) + 0.5, 1), height: 7 }));
  });
  if (lives.length && lives[0].at >= from) {
    const at = x(lives[0].at);
    found.push(svg("path", { class: "flag", d: `M${at} ${PLOT.top}V${height - 11}M${at} ${PLOT.top}h9l-3 4 3 4h-9` },
      svg("title", {}, `${say("was_told")}: ${moment(lives[0].at)}`)));
  }
  return found;
}

// Figures of the hour that is pointed at.
function pointing(picture, hours, { x, y, width, height }) {
  const box = el("div", { class: "tip", hidden: true });
  const hair = svg("line", { class: "hair", y1: PLOT.top, y2: height - PLOT.bottom, visibility: "hidden" });
  const dot = svg("circle", { class: "dot", r: 4, visibility: "hidden" });
  picture.append(hair, dot);
  const hide = () => {
    box.hidden = true;
    hair.setAttribute("visibility", "hidden");
    dot.setAttribute("visibility", "hidden");
  };
  picture.addEventListener("pointerleave", hide);
  picture.addEventListener("pointermove", (event) => {
    const scale = width / picture.getBoundingClientRect().width;
    const at = event.offsetX * scale;
    const near = hours.reduce((best, one) => (Math.abs(x(one.at) - at) < Math.abs(x(best.at) - at) ? one : best));
    const ahead = near.expected === undefined;
    box.replaceChildren(el("b", {}, `${day(near.at)}, ${clock(near.at)}`),
      el("span", {}, `${say(ahead ? "forecast" : "observed")} ${short(near.reels)}`),
      el("span", {}, ahead ? `${short(near.low)} – ${short(near.high)}` : `${say("expected")} ${short(near.expected)}`));
    box.hidden = false;
    const left = x(near.at) / scale;
    box.style.left = `${Math.min(Math.max(left, 70), width / scale - 70)}px`;
    hair.setAttribute("x1", x(near.at));
    hair.setAttribute("x2", x(near.at));
    dot.setAttribute("cx", x(near.at));
    dot.setAttribute("cy", y(near.reels));
    hair.setAttribute("visibility", "visible");
    dot.setAttribute("visibility", "visible");
  });
  return box;
}

export function tableOf(trend, days) {
  const rows = within(trend, days).slice(-168).reverse();
  const cells = (one) => el("tr", {}, el("th", { scope: "row" }, moment(one.at)), el("td", {}, whole(one.reels)), el("td", {}, short(one.expected)));
  return el("details", { class: "figures" }, el("summary", {}, say("table")),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("table") }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, say("hour")), el("th", { scope: "col" }, say("observed")), el("th", { scope: "col" }, say("expected")))),
      el("tbody", {}, ...rows.map(cells)))));
}

export function legend() {
  const entry = (kind, text) => el("li", {}, svg("svg", { class: "key", viewBox: "0 0 22 12", "aria-hidden": "true" },
    kind.endsWith("band") || kind === "ahead" ? svg("rect", { class: kind, width: 22, height: 12, rx: 2 }) : svg("path", { class: kind, d: "M1 6h20" })), text);
  return el("ul", { class: "legend" }, entry("line", say("observed")), entry("expected", say("expected")), entry("band", say("band")),
    entry("forecast", say("forecast")), entry("ahead", say("likely")));
}
