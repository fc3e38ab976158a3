// What stands above: the name, whether it is live, how much rises, alerts a day, measured precision.
import { el, svg } from "./dom.js";
import { go } from "./address.js";
import { wave } from "./marks.js";
import { isReport } from "./source.js";
import { day, language, many, moment, percent, say, short, span, whole } from "./words.js";

const DAYS = 14;

export function pulse(state) {
  const [kind, text] = isReport ? ["still", say("still")] : state.trouble ? ["bad", say("behind")] : state.connected ? ["good", say("live")] : ["bad", say("offline")];
  return el("span", { class: `pulse ${kind}` }, el("i", { "aria-hidden": "true" }), text);
}

export function banner(state, onTheme) {
  return el("header", { class: "banner" },
    el("a", { class: "skip", href: "#main", onclick: skip }, say("skip")),
    el("a", { class: "brand", href: "#" }, wave(), el("span", {}, "Groundswell")),
    pulse(state),
    el("span", { class: "tools" },
      el("button", { type: "button", lang: say("other"), "aria-label": say("language"), title: say("language"), onclick: () => go({ lang: language.now === "ru" ? "en" : "ru" }) }, say("other_short")),
      el("button", { type: "button", class: "round", "aria-label": say("theme"), title: say("theme"), onclick: onTheme },
        svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("circle", { cx: 8, cy: 8, r: 6.200 }), svg("path", { d: "M8 1.800a6.200 6.200 0 0 1 0 12.400Z" })))));
}

function skip(event) {
  event.preventDefault();
  const main = document.querySelector("main h2, main h1");
  main?.setAttribute("tabindex", "-1");
  main?.focus();
}

export function headline(overview) {
  const rising = (overview.stages.emerging ?? 0) + (overview.stages.peaking ?? 0);
  const news = overview.newest ? say("newest", moment(overview.newest)) : "";
  const age = overview.written_at && !isReport ? Date.now() - Date.parse(overview.written_at) : null;
  return el("div", { class: "headline" },
    el("h1", {}, rising ? el("b", {}, whole(rising)) : "", rising ? ` ${many("rising", rising)}` : say("nothing_rises")),
    el("p", { class: "fresh" }, [say("of", whole(overview.trends)), news, age === null ? "" : age < 60000 ? say("written_now") : say("written", span(age))].filter(Boolean).join(" · ")));
}

export function tiles(overview) {
  const last = overview.alerts.slice(-DAYS);
  const most = Math.max(...last.map((one) => one.alerts), 1);
  const bars = last.map((one, at) => {
    const tall = Math.max((one.alerts / most) * 34, 1.5);
    return svg("rect", { class: one.alerts ? "bar" : "bar none", x: at * 11, y: 36 - tall, width: 8, height: tall, rx: 1.5 }, svg("title", {}, say("alerts_on", day(one.day), one.alerts)));
  });
  const daily = overview.alerts_per_day;
  const right = overview.precision;
  return el("div", { class: "tiles" },
    el("div", { class: "tile" }, el("p", {}, el("b", {}, daily === null ? "–" : short(daily)), el("span", {}, say("per_day"))),
      svg("svg", { class: "bars", viewBox: `0 0 ${Math.max(last.length * 11 - 3, 8)} 37`, height: 37, width: Math.max(last.length * 11 - 3, 8), role: "img", "aria-label": say("alerts_chart", DAYS) }, ...bars)),
    el("div", { class: "tile" }, el("p", {}, el("b", {}, right === null ? "–" : percent(right)), el("span", {}, say("precision"))),
      el("small", {}, overview.judged ? say("judged", whole(overview.judged)) : say("not_judged"))));
}
