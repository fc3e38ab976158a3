// Where the data is from: the API, or what lies in this page (a report).
const held = document.getElementById("data");
const embedded = held ? JSON.parse(held.textContent) : null;
const DAY_MS = 86400000;

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const isReport = embedded !== null;

async function asked(path, options = {}) {
  const answer = await fetch(path, { credentials: "same-origin", ...options });
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, String(body?.detail ?? answer.statusText));
  return body;
}

function sent(path, value) {
  return asked(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) });
}

// The query of a list; `newest` is the time that days are counted back from.
export function queryOf(at, newest) {
  const query = new URLSearchParams();
  for (const name of ["stage", "kind", "scope"]) for (const value of at[name]) query.append(name, value);
  if (at.q) query.set("q", at.q.slice(0, 200));
  if (at.sort) query.set("sort", at.sort);
  if (at.days && newest) query.set("since", new Date(Date.parse(newest) - Number(at.days) * DAY_MS).toISOString());
  return query;
}

export async function trendsOf(query, limit, cursor = "") {
  if (isReport) return { items: inReport(query), next: null };
  query = new URLSearchParams(query);
  query.set("view", "brief");
  query.set("limit", limit);
  if (cursor) query.set("cursor", cursor);
  return asked("v1/trends?" + query);
}

const NUMBERS = {
  rising: (item) => [Number(item.stage === "emerging" || item.stage === "peaking"), item.score, item.authors],
  newest: (item) => [Date.parse(item.alerted_at)],
  updated: (item) => [Date.parse(item.event_time)],
  growth: (item) => [item.growth],
  velocity: (item) => [item.velocity_per_h],
  reels: (item) => [item.reels],
  authors: (item) => [item.authors],
  score: (item) => [item.score],
};

function inReport(query) {
  const any = (name, values) => query.getAll(name).length === 0 || query.getAll(name).some((one) => values.includes(one));
  const words = (query.get("q") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const since = Date.parse(query.get("since") ?? "") || 0;
  const key = NUMBERS[query.get("sort")] ?? NUMBERS.rising;
  return embedded.items
    .filter((item) => any("stage", [item.stage]) && any("kind", [item.kind]) && any("scope", item.scopes) && Date.parse(item.event_time) >= since)
    .filter((item) => {
      const text = [item.name, item.summary, ...item.members.map((one) => one.label)].join("\n").toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .map((item) => [key(item), item])
    .sort(([a], [b]) => b.reduce((found, one, at) => found || one - a[at], 0))
    .map(([, item]) => item);
}

export async function overviewNow() {
  return isReport ? embedded.overview : asked("v1/overview");
}

export async function trendOf(id) {
  if (!isReport) return asked("v1/trends/" + encodeURIComponent(id));
  const found = embedded.details[id];
  if (!found) throw new Refused(404, "");
  return found;
}

function whoAmI() {
  try {
    let name = localStorage.getItem("groundswell-by");
    if (!name) {
      name = crypto.getRandomValues(new Uint32Array(4)).join("-");
      localStorage.setItem("groundswell-by", name);
    }
    return name;
  } catch {
    return "";
  }
}

export function judge(trend, verdict) {
  return sent("v1/feedback", { trend_id: trend.trend_id, revision: trend.revision, verdict, by: whoAmI() });
}

export function rename(trend, name) {
  return sent("v1/names", { trend_id: trend.trend_id, name });
}

export function openWith(key) {
  return sent("v1/session", { key });
}

const AGAIN_MS = 5000;

// Call back with each trend that has news; the browser connects again by itself, and says from where.
// A page that nobody sees lets go: a browser has few connections to one server for all of its tabs.
export function listen(onTrend, onReset, onState) {
  if (isReport) return;
  let events = null;
  const open = () => {
    if (document.hidden || events) return;
    const mine = new EventSource("v1/stream?view=brief");
    events = mine;
    mine.addEventListener("trend", (event) => onTrend(JSON.parse(event.data)));
    mine.addEventListener("reset", onReset);
    mine.addEventListener("open", () => onState(true));
    mine.addEventListener("error", () => {
      onState(false);
      if (mine.readyState !== EventSource.CLOSED || events !== mine) return;
      events = null;
      setTimeout(open, AGAIN_MS);
    });
  };
  addEventListener("visibilitychange", () => {
    if (!document.hidden) open();
    else if (events) {
      events.close();
      events = null;
    }
  });
  open();
}
