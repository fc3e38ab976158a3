// The page: reads what the address asks for, shows it, and keeps it fresh.
import { announce, el, plain } from "./dom.js";
import { go, place } from "./address.js";
import { detail } from "./detail.js";
import { downloads, fill, filters, nothing } from "./list.js";
import { isReport, listen, openWith, overviewNow, queryOf, Refused, trendOf, trendsOf } from "./source.js";
import { swell } from "./swell.js";
import { banner, headline, pulse, tiles } from "./top.js";
import { choose, many, say } from "./words.js";

const PAGE = 50;
const SOON_MS = 120;
const APART_MS = 1000;
const OVERVIEW_MS = 15000;
const FRESH_MS = 6 * 3600000;

const state = { overview: null, items: [], next: null, connected: true, failing: false, fresh: new Set(), asked: 0, shownAt: "" };
const parts = { banner: el("div"), top: el("div", { class: "top" }), filters: el("div"), list: el("ol", { class: "list" }), below: el("div", { class: "below" }), main: el("main", { id: "main" }) };

function themed(next) {
  const root = document.documentElement;
  try {
    if (next) localStorage.setItem("groundswell-theme", next);
    next ??= localStorage.getItem("groundswell-theme");
  } catch {
    // a page from a file may have no storage
  }
  if (next) root.dataset.theme = next;
}

function otherTheme() {
  const dark = document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  themed(dark === "dark" ? "light" : "dark");
}

// Ages are by the clock where news is fresh, else by the news: those of an old replay are of its time.
function now() {
  const newest = Date.parse(state.overview?.newest ?? "") || Date.now();
  return Date.now() - newest < FRESH_MS ? Date.now() : newest;
}

function showBanner() {
  const health = { connected: state.connected && !state.failing, trouble: state.overview?.trouble ?? "" };
  if (parts.banner.dataset.lang === document.documentElement.lang) parts.banner.querySelector(".pulse").replaceWith(pulse(health));
  else parts.banner.replaceChildren(banner(health, otherTheme));
  parts.banner.dataset.lang = document.documentElement.lang;
}

function showTop() {
  const wide = Math.min(document.documentElement.clientWidth, 1180) - 48;
  const narrow = wide < 760;
  const width = narrow ? Math.max(wide, 280) : Math.round(wide * 0.60);
  const left = el("div", { class: "left" }, headline(state.overview), tiles(state.overview));
  const map = state.items.length ? swell(state.items, now(), width, narrow ? 210 : 250) : "";
  parts.top.replaceChildren(left, ...[map].filter(Boolean));
}

function showList(at) {
  if (parts.main.firstChild !== parts.top) parts.main.replaceChildren(parts.top, parts.filters, el("h2", { class: "unseen" }, say("list")), parts.list, parts.below);
  document.title = "Groundswell";
  showTop();
  const typing = document.activeElement?.id === "search" ? document.activeElement : null;
  const panel = filters(state.overview, at);
  const pressed = parts.filters.contains(document.activeElement) ? document.activeElement.dataset.stage ?? document.activeElement.name : null;
  if (typing && parts.filters.firstChild) parts.filters.firstChild.firstChild.replaceWith(panel.firstChild);
  else parts.filters.replaceChildren(panel);
  if (pressed && !typing) parts.filters.querySelector(`[data-stage="${pressed}"], [name="${pressed}"]`)?.focus();
  fill(parts.list, state.items, now(), state.fresh);
  state.fresh.clear();
  parts.below.replaceChildren(...[
    state.items.length ? "" : nothing(at, state.overview),
    state.next ? el("button", { type: "button", class: "plainly", onclick: more }, say("more")) : "",
    downloads(at, state.overview),
  ].filter(Boolean));
}

async function more(event) {
  event.currentTarget.disabled = true;
  const at = place();
  const page = await trendsOf(queryOf(at, state.overview.newest), PAGE, state.next).catch(failed);
  if (!page) return;
  const known = new Set(state.items.map((one) => one.trend_id));
  const first = page.items.find((one) => !known.has(one.trend_id));
  state.items.push(...page.items.filter((one) => !known.has(one.trend_id)));
  state.next = page.next;
  showList(at);
  if (first) parts.list.querySelector(`[data-trend="${CSS.escape(first.trend_id)}"] a`)?.focus();
}

async function showTrend(id, number) {
  const trend = await trendOf(id);
  if (number !== state.asked) return;
  document.title = `${plain(trend.named?.name || trend.name)} · Groundswell`;
  const before = parts.main.querySelector("article");
  const opened = before?.dataset.trend !== id;
  if (!opened && Number(before.dataset.revision) === trend.revision && before.dataset.name === (trend.named?.name ?? "") && before.lang === document.documentElement.lang) return;
  const article = detail(trend, state.overview, now());
  article.lang = document.documentElement.lang;
  article.dataset.name = trend.named?.name ?? "";
  parts.main.replaceChildren(article);
  if (opened) {
    scrollTo(0, 0);
    const heading = article.querySelector("h1");
    heading.setAttribute("tabindex", "-1");
    heading.focus({ preventScroll: true });
  }
}

// Read and show what the address asks for. `quietly`: as news comes, an error waits for the next.
async function show(quietly = false) {
  const number = ++state.asked;
  const at = place();
  try {
    choose(at.lang || remembered());
    state.overview = await overviewNow();
    state.failing = false;
    if (at.trend) await showTrend(at.trend, number);
    else {
      const page = await trendsOf(queryOf(at, state.overview.newest), quietly ? Math.min(Math.max(state.items.length, PAGE), 500) : PAGE);
      if (number !== state.asked) return;
      state.items = page.items;
      state.next = page.next;
      showList(at);
    }
    showBanner();
  } catch (error) {
    if (number === state.asked && !quietly) failed(error);
  }
}

function remembered() {
  return navigator.languages?.some((one) => one.startsWith("ru")) && !navigator.languages[0].startsWith("en") ? "ru" : "en";
}

function failed(error) {
  state.failing = ![401, 404].includes(error.status);
  showBanner();
  if (!(error instanceof Refused) && !(error instanceof TypeError)) console.error(error);
  if (error.status === 401) parts.main.replaceChildren(asking());
  else if (error.status === 404) parts.main.replaceChildren(wrong("gone", el("a", { href: "#" }, say("back"))));
  else parts.main.replaceChildren(wrong("failed", el("button", { type: "button", class: "plainly", onclick: () => show() }, say("again")), error.message));
}

function wrong(key, action, more = "") {
  return el("div", { class: "nothing", role: "alert" }, el("h1", {}, say(key)), more ? el("p", { class: "quiet" }, plain(more)) : "", action);
}

function asking() {
  const field = el("input", { type: "password", id: "key", autocomplete: "current-password", required: true });
  const trouble = el("p", { class: "bad", role: "alert" });
  const open = async (event) => {
    event.preventDefault();
    try {
      await openWith(field.value);
      begin();
    } catch (error) {
      trouble.textContent = error.status === 401 ? say("key_wrong") : plain(error.message);
    }
  };
  return el("form", { class: "nothing", onsubmit: open }, el("h1", {}, say("key")), el("label", { for: "key" }, say("key_label")), field, el("button", { class: "plainly" }, say("open")), trouble);
}

let waiting = null;
let looked = 0;

// Look again: soon, but not more often than people can follow.
function soon() {
  waiting ??= setTimeout(async () => {
    waiting = null;
    looked = performance.now();
    if (document.hidden) return;
    const news = state.fresh.size;
    await show(true);
    if (news) announce(`${news} ${many("new_ones", news)}`);
  }, Math.max(SOON_MS, APART_MS - (performance.now() - looked)));
}

let listening = false;

async function begin() {
  await show();
  if (listening || !state.overview) return;
  listening = true;
  listen((item) => { state.fresh.add(item.trend_id); soon(); }, soon, (connected) => {
    const again = connected && !state.connected;
    state.connected = connected;
    showBanner();
    if (again) soon();
  });
  if (!isReport) setInterval(() => document.hidden || soon(), OVERVIEW_MS);
}

themed();
choose(place().lang || remembered());
document.body.replaceChildren(parts.banner, parts.main, ...document.querySelectorAll("body > script"));
addEventListener("hashchange", () => show());
addEventListener("visibilitychange", () => document.hidden || soon());
let drawn = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === drawn || !state.overview || place().trend) return;
  drawn = innerWidth;
  showTop();
});
addEventListener("keydown", (event) => {
  const field = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (event.key === "/" && !field && !event.ctrlKey && !event.metaKey) {
    const search = document.getElementById("search");
    if (search) { event.preventDefault(); search.focus(); }
  } else if (event.key === "Escape" && !field && place().trend) go({ trend: "" });
});
begin();
