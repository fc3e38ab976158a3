// The list: filters that live in the address, a row for each trend, more on demand.
import { arrange, el, plain, svg, told } from "./dom.js";
import { addressOf, filtered, go, place } from "./address.js";
import { kindMark, sparkline, stageMark, stagePill } from "./marks.js";
import { isReport, queryOf } from "./source.js";
import { moment, reason, say, short, span, times, where, whole } from "./words.js";

const STAGE_NAMES = ["emerging", "peaking", "fading", "evergreen"];
const KIND_NAMES = ["challenge", "sound", "hashtag", "phrase", "format"];
const SORTS = ["rising", "newest", "updated", "growth", "velocity", "authors", "reels", "score"];
const TYPING_MS = 250;
const SCOPES = 3;

export function filters(overview, at) {
  let typing;
  const search = el("input", {
    type: "search", name: "q", value: at.q, placeholder: say("search"), "aria-label": say("search"), maxlength: 200, autocomplete: "off", spellcheck: "false", id: "search",
    oninput: (event) => {
      clearTimeout(typing);
      const text = event.target.value;
      typing = setTimeout(() => go({ q: text.trim() }, true), TYPING_MS);
    },
  });
  const stages = [null, ...STAGE_NAMES].map((stage) => {
    const chosen = stage ? at.stage.includes(stage) : !at.stage.length;
    const count = stage ? overview.stages[stage] ?? 0 : overview.trends;
    const next = stage === null ? [] : chosen ? at.stage.filter((one) => one !== stage) : [...at.stage, stage];
    return el("button", { type: "button", class: `chip ${stage ? `stage-${stage}` : ""}`, "aria-pressed": String(chosen), "data-stage": stage ?? "all", onclick: () => go({ stage: next }) },
      stage ? stageMark(stage) : "", say(stage ?? "all"), el("span", { class: "count" }, whole(count)));
  });
  const scopes = overview.scopes.map((one) => one.scope).filter((scope) => scope !== "global");
  scopes.sort((a, b) => b.startsWith("region:") - a.startsWith("region:"));
  return el("search", { class: "filters" },
    el("div", { class: "chips", role: "group", "aria-label": say("stage") }, ...stages),
    el("div", { class: "choices" },
      choice("kind", at.kind[0] ?? "", [["", say("any")], ...KIND_NAMES.filter((kind) => overview.kinds[kind]).map((kind) => [kind, say(kind)])], (value) => go({ kind: value ? [value] : [] })),
      scopes.length ? choice("scope", at.scope[0] ?? "", [["", say("everywhere")], ...scopes.map((scope) => [scope, plain(where(scope))])], (value) => go({ scope: value ? [value] : [] })) : "",
      choice("time", at.days, [["", say("always")], ["1", say("day1")], ["3", say("day3")], ["7", say("day7")]], (value) => go({ days: value })),
      choice("sort", at.sort || "rising", SORTS.map((sort) => [sort, say(`sort_${sort}`)]), (value) => go({ sort: value === "rising" ? "" : value })),
      search));
}

function choice(name, value, options, onchange) {
  return el("label", { class: "choice" }, el("span", { class: "unseen" }, say(name)),
    el("select", { name, onchange: (event) => onchange(event.target.value) }, ...options.map(([given, text]) => el("option", { value: given, selected: given === value }, text))));
}

const figure = (name, value, unit) => el("div", { class: `figure ${name}` }, el("dt", {}, unit), el("dd", {}, value));

export function row(item, now) {
  const others = item.members.filter((one) => one.label !== item.name).slice(0, 3);
  const rest = item.member_count - 1 - others.length;
  const scopes = item.scopes.filter((scope) => scope !== "global");
  return el("li", { class: `row stage-${item.stage}`, "data-trend": item.trend_id, "data-revision": item.revision },
    el("div", { class: "what" },
      el("h3", {}, el("a", { href: addressOf({ ...place(), trend: item.trend_id }) }, told(item.name, 80))),
      el("p", { class: "under" }, stagePill(item.stage), el("span", { class: "kind" }, kindMark(item.kind), say(item.kind)),
        ...scopes.slice(0, SCOPES).map((scope) => el("span", { class: "scope" }, told(where(scope), 40))),
        scopes.length > SCOPES ? el("span", { class: "scope", title: scopes.slice(SCOPES).map(where).map(plain).join(", ") }, `+${scopes.length - SCOPES}`) : ""),
      others.length ? el("p", { class: "members" }, ...others.map((one) => el("span", {}, kindMark(one.kind), told(one.label, 40))), rest > 0 ? el("span", {}, say("more_signals", rest)) : "") : "",
      el("p", { class: "why" }, told(reason(item.why), 600))),
    el("div", { class: "sparked" }, sparkline(item.spark, item.stage)),
    el("dl", { class: "numbers" },
      figure("growth", times(item.growth), say("growth")),
      figure("velocity", short(item.velocity_per_h), say("velocity")),
      figure("people", whole(item.authors), say("people")),
      figure("age", el("time", { datetime: item.started_at, title: say("started", moment(item.started_at)) }, span(now - Date.parse(item.started_at))), say("age"))));
}

// Rows that are there stay, unless what they show has changed.
export function fill(list, items, now, fresh) {
  const there = new Map([...list.children].map((node) => [node.dataset.trend, node]));
  arrange(list, items.map((item) => {
    const old = there.get(item.trend_id);
    if (old && Number(old.dataset.revision) === item.revision && old.dataset.name === item.name && old.dataset.lang === document.documentElement.lang) {
      old.querySelector("a").setAttribute("href", addressOf({ ...place(), trend: item.trend_id }));
      old.querySelector(".age time").textContent = span(now - Date.parse(item.started_at));
      return old;
    }
    const node = row(item, now);
    node.dataset.name = item.name;
    node.dataset.lang = document.documentElement.lang;
    if (fresh.has(item.trend_id)) node.classList.add("fresh");
    return node;
  }));
}

export function nothing(at, overview) {
  if (filtered(at)) {
    return el("div", { class: "nothing" }, el("h2", {}, say("none")), el("p", {}, say("none_hint")),
      el("button", { type: "button", class: "plainly", onclick: () => go({ stage: [], kind: [], scope: [], q: "", days: "" }) }, say("clear")));
  }
  if (overview.trends) return el("div", { class: "nothing" }, el("h2", {}, say("none")));
  return el("div", { class: "nothing" }, svg("svg", { class: "calm", viewBox: "0 0 120 30", "aria-hidden": "true" }, svg("path", { d: "M2 20c18 0 20-8 38-8s20 8 38 8 20-5 40-5" })),
    el("h2", {}, say("empty")), el("p", {}, say("empty_hint")), el("pre", {}, "groundswell replay reels.jsonl --store trends.db"));
}

export function downloads(at, overview) {
  if (isReport || !overview.trends) return "";
  const query = queryOf(at, overview.newest);
  return el("p", { class: "downloads" }, `${say("download")}: `, el("a", { href: "v1/export.csv?" + query, download: "trends.csv" }, "CSV"), " · ",
    el("a", { href: "v1/export.parquet?" + query, download: "trends.parquet" }, "Parquet"), " · ", el("a", { href: "v1/trends?" + query }, say("json")));
}
