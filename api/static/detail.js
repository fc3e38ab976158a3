// The page of one trend.
import { announce, el, plain, told } from "./dom.js";
import { addressOf, place } from "./address.js";
import { chart, legend, tableOf } from "./chart.js";
import { together } from "./graph.js";
import { kindMark, stageMark, stagePill } from "./marks.js";
import { isReport, judge, rename } from "./source.js";
import { moment, percent, reason, say, short, span, times, where, whole } from "./words.js";

const RANGES = [[2, "range2"], [7, "range7"], [0, "range_all"]];
const shown = { days: 7 };

export function detail(trend, overview, now) {
  const told_at = trend.revisions[0]?.event_time ?? trend.event_time;
  const name = trend.named?.name || trend.name;
  return el("article", { class: `trend stage-${trend.stage}`, "data-trend": trend.trend_id, "data-revision": trend.revision },
    el("a", { class: "back", href: addressOf({ ...place(), trend: "" }) }, "← ", say("back")),
    el("div", { class: "head" },
      el("div", {}, el("h1", {}, told(name, 120)),
        el("p", { class: "under" }, stagePill(trend.stage), el("span", { class: "kind" }, kindMark(trend.kind), say(trend.kind)),
          ...trend.scopes.filter((scope) => scope !== "global").map((scope) => el("span", { class: "scope" }, told(where(scope), 40))),
          el("span", {}, say("started", moment(trend.started_at))), el("span", {}, say("alerted", moment(told_at))))),
      el("div", { class: "asides" }, judging(trend, overview), renaming(trend, overview))),
    trend.named?.summary ? el("p", { class: "told" }, told(trend.named.summary, 500)) : "",
    el("p", { class: "why" }, told(reason(trend.why), 1500)),
    el("dl", { class: "facts" },
      fact(times(trend.growth), say("growth"), say("not_expected", short(trend.expected))),
      fact(whole(trend.authors), say("people"), `${whole(trend.reels)} ${say("in_window")}`),
      fact(short(trend.velocity_per_h), say("per_hour"), say("accel", signed(trend.acceleration_per_h2))),
      fact(span(now - Date.parse(trend.started_at)), say("age"), say("news", trend.revision)),
      fact(percent(trend.score), say("score"), trend.q_value ? `q = ${trend.q_value.toPrecision(2)}` : "q < 1e-300")),
    use(trend),
    el("div", { class: "columns" },
      el("section", {}, el("h2", {}, say("members")), members(trend)),
      el("section", {}, el("h2", {}, say("together")), el("div", { class: "tied" }, together(trend, 460)))),
    el("div", { class: "columns" },
      el("section", {}, el("h2", {}, say("life")), life(trend)),
      el("section", {}, examples(trend, overview), related(trend))),
    el("p", { class: "downloads" }, `${say("copy")}: `, el("code", {}, plain(trend.trend_id)), isReport ? "" : " · ", isReport ? "" : el("a", { href: "v1/trends/" + encodeURIComponent(trend.trend_id) }, say("json"))));
}

function signed(value) {
  return (value > 0 ? "+" : "") + short(value);
}

function fact(value, name, more) {
  return el("div", {}, el("dt", {}, name), el("dd", {}, el("b", {}, value), el("small", {}, more)));
}

function use(trend) {
  const box = el("div", { class: "plot" });
  const figures = el("div", {});
  const draw = () => {
    const width = Math.round(Math.max(box.clientWidth || 900, 300));
    box.replaceChildren(chart(trend, shown.days, width));
    figures.replaceChildren(tableOf(trend, shown.days));
  };
  const buttons = RANGES.map(([days, name]) => el("button", {
    type: "button", class: "chip", "aria-pressed": String(shown.days === days),
    onclick: (event) => {
      shown.days = days;
      for (const one of event.currentTarget.parentNode.children) one.setAttribute("aria-pressed", String(one === event.currentTarget));
      draw();
    },
  }, say(name)));
  const section = el("section", { class: "use" },
    el("div", { class: "titled" }, el("h2", {}, say("use"), " ", el("small", {}, told(say("lead_of", plain(trend.members[0].label)), 60))), el("div", { class: "chips" }, ...buttons)),
    box, legend(), figures);
  new ResizeObserver((_, watcher) => (box.isConnected ? draw() : watcher.disconnect())).observe(box);
  return section;
}

function members(trend) {
  return el("ul", { class: "parts" }, ...trend.members.map((one) => {
    const bar = el("i", { "aria-hidden": "true" });
    bar.style.inlineSize = `${Math.max(one.weight * 100, 1)}%`;
    return el("li", { class: `kind-${one.kind}` }, el("span", { class: "label" }, kindMark(one.kind), told(one.label || one.id, 90)),
      el("span", { class: "amount" }, `${whole(one.reels)} ${say("reels")} · ${say("share", percent(one.weight))}`), el("span", { class: "meter" }, bar));
  }));
}

// Only where its stage or name changed, and its first and last word.
function life(trend) {
  const all = trend.revisions;
  const turns = all.filter((one, at) => at === 0 || at === all.length - 1 || one.stage !== all[at - 1].stage || one.name !== all[at - 1].name);
  return el("ol", { class: "life" }, ...turns.map((one, at) => {
    const same = at && one.stage === turns[at - 1].stage;
    const what = !at ? say("was_told") : same ? say("last_told") : say("became", say(one.stage));
    return el("li", { class: `stage-${one.stage}` }, stageMark(one.stage),
      el("p", {}, el("b", {}, what), " ", el("time", { datetime: one.event_time }, moment(one.event_time))),
      el("p", { class: "quiet" }, `${whole(one.authors)} ${say("people")} · ${times(one.growth)} · `, told(one.name, 60)));
  }));
}

function examples(trend, overview) {
  if (!trend.examples.length) return "";
  const form = overview?.reel_url ?? "";
  const web = /^https?:\/\//.test(form);
  const one = (id) => {
    const shape = el("code", {}, told(id, 60));
    return el("li", {}, web ? el("a", { href: form.replace("{reel_id}", encodeURIComponent(id)), rel: "noreferrer noopener", target: "_blank" }, shape) : shape);
  };
  return el("div", {}, el("h2", {}, say("examples")), el("ul", { class: "reels" }, ...trend.examples.map(one)));
}

function related(trend) {
  if (!trend.related?.length) return "";
  return el("div", {}, el("h2", {}, say("related")), el("ul", { class: "near" }, ...trend.related.map((one) =>
    el("li", {}, stageMark(one.stage), el("a", { href: addressOf({ ...place(), trend: one.trend_id }) }, told(one.name, 60)), el("small", {}, say("shares", one.signals, one.examples))))));
}

function renaming(trend, overview) {
  if (isReport || overview?.names === false) return "";
  const trouble = el("p", { class: "quiet", role: "status" });
  const field = el("input", { type: "text", maxlength: 100, value: plain(trend.named?.name || trend.name), "aria-label": say("rename_hint"), title: say("rename_hint"), autocomplete: "off" });
  const opener = el("button", { type: "button", class: "quietly", "aria-expanded": "false", onclick: () => open(true) }, say("rename"));
  const form = el("form", {
    class: "renaming", hidden: true,
    onsubmit: async (event) => {
      event.preventDefault();
      try {
        const { name } = await rename(trend, field.value.trim());
        document.querySelector("h1").replaceChildren(told(name || trend.name, 120));
        announce(say("thanks"));
        open(false);
      } catch (error) {
        trouble.textContent = say("not_kept", error.message);
      }
    },
  }, field, el("button", { class: "plainly" }, say("keep")), el("button", { type: "button", class: "plainly", onclick: () => open(false) }, say("cancel")), trouble);
  const open = (shows) => {
    form.hidden = !shows;
    opener.hidden = shows;
    opener.setAttribute("aria-expanded", String(shows));
    (shows ? field : opener).focus();
  };
  return el("div", {}, opener, form);
}

function judging(trend, overview) {
  if (isReport || overview?.feedback === false) return "";
  const answer = el("p", { class: "quiet", role: "status" });
  const show = ({ real, noise }) => {
    answer.textContent = real || noise ? say("said", real, noise) : "";
  };
  show(trend.feedback ?? { real: 0, noise: 0 });
  const button = (verdict) => el("button", {
    type: "button", class: `verdict ${verdict}`, "aria-pressed": "false",
    onclick: async (event) => {
      const pressed = event.currentTarget;
      const back = pressed.getAttribute("aria-pressed") === "true";
      try {
        show(await judge(trend, back ? "none" : verdict));
        for (const one of pressed.parentNode.children) one.setAttribute("aria-pressed", String(one === pressed && !back));
        announce(say("thanks"));
      } catch (error) {
        answer.textContent = say("not_kept", error.message);
      }
    },
  }, say(verdict));
  return el("div", { class: "judging" }, el("p", { id: "judge" }, say("judge")), el("div", { role: "group", "aria-labelledby": "judge" }, button("real"), button("noise")), answer);
}
