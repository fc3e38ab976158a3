// What the page says, in English and Russian; numbers and times in the way of the language.
const EN = {
  title: "Radar", skip: "Skip to the trends", live: "Live", offline: "Connection lost, trying again", still: "A report: nothing here changes",
  behind: "The store cannot be read", rising: ["trend is rising", "trends are rising"], nothing_rises: "Nothing is rising now",
  of: "of {0} on the radar", newest: "News up to {0}", written: "written {0} ago", written_now: "written just now", per_day: "alerts a day", precision: "right, say people", judged: "{0} judged",
  not_judged: "nobody has judged yet", alerts_on: "{0}: {1} alerts", alerts_chart: "Alerts a day, the last {0} days",
  all: "All", emerging: "emerging", peaking: "peaking", fading: "fading", evergreen: "evergreen", stage: "Stage", kind: "Kind", any: "Any kind", scope: "Where", everywhere: "Everywhere",
  time: "When", always: "Any time", day1: "Last day", day3: "Last 3 days", day7: "Last week",
  sound: "sound", hashtag: "hashtag", phrase: "phrase", format: "look", challenge: "challenge", trend: "trend",
  sort: "Sort by", sort_rising: "Rising first", sort_newest: "Newest alert", sort_updated: "Last news", sort_growth: "Growth", sort_velocity: "Reels an hour", sort_authors: "People", sort_reels: "Reels", sort_score: "Chance",
  search: "Search names, tags, sounds", clear: "Clear the filters", list: "Trends", growth: "growth", velocity: "an hour", people: "people", reels: "reels", age: "age", expected: "expected", observed: "observed", forecast: "forecast", band: "usual range", likely: "4 in 5 hours",
  more: "Show more", none: "No trend is like this", none_hint: "Try fewer filters, or other words.", empty: "Nothing has been told yet", empty_hint: "Trends appear here as soon as a run writes to the store:",
  failed: "The radar does not answer", again: "Try again", key: "This radar asks for a key", key_label: "Key", open: "Open", key_wrong: "That is not a key of this radar",
  back: "All trends", gone: "There is no such trend", started: "began {0}", alerted: "alert {0}", score: "chance to take off", per_hour: "reels an hour", in_window: "reels in its window", not_expected: "{0} were expected", accel: "{0} an hour more each hour",
  use: "Use, hour by hour", lead_of: "of {0}", table: "The same as a table", hour: "Hour", range2: "2 days", range7: "7 days", range_all: "All",
  members: "What it is made of", together: "What comes together", share: "{0} of the weight", life: "Its life", examples: "Example reels", related: "Close to it", shares: "{0} signals, {1} reels in common",
  rename: "Call it something else", rename_hint: "Name; empty: the one it came with", keep: "Keep", cancel: "Cancel", judge: "Was this alert right?", real: "Real", noise: "Noise", thanks: "Kept. Thank you.", undo: "Take it back", said: "{0} say real, {1} say noise", not_kept: "It could not be kept: {0}",
  was_told: "first told", last_told: "last told", became: "became {0}", news: "revision {0}", no_links: "One signal: nothing to bring together", link: "{0} and {1}: {2} reels", links_unknown: "No links are known",
  theme: "Light or dark", language: "По-русски", other: "ru", other_short: "RU", new_ones: ["trend has news", "trends have news"], swell: "The swell", swell_about: "Growth over age; larger: more people", younger: "just begun", older: "older",
  spark: "{0} reels in the last hour told, {1} expected; at most {2} an hour", chart_about: "Reels an hour from {0} to {1}: at most {2}, at last {3} where {4} were expected.", forecast_about: " In the next {0} hours {1} in all are forecast.",
  download: "Table", json: "JSON", copy: "Id", reel: "reel", d: "d", h: "h", min: "min", more_signals: "and {0} more",
};
const RU = {
  title: "Радар", skip: "К трендам", live: "В эфире", offline: "Нет связи, пробуем снова", still: "Отчёт: здесь ничего не меняется",
  behind: "Хранилище не читается", rising: ["тренд растёт", "тренда растут", "трендов растут"], nothing_rises: "Сейчас ничего не растёт",
  of: "из {0} на радаре", newest: "Новости до {0}", written: "записано {0} назад", written_now: "записано только что", per_day: "оповещений в день", precision: "верны, говорят люди", judged: "оценено: {0}",
  not_judged: "пока никто не оценил", alerts_on: "{0}: оповещений {1}", alerts_chart: "Оповещения по дням, последние {0}",
  all: "Все", emerging: "растёт", peaking: "на пике", fading: "спадает", evergreen: "вечное", stage: "Стадия", kind: "Вид", any: "Любой вид", scope: "Где", everywhere: "Везде",
  time: "Когда", always: "Любое время", day1: "За день", day3: "За 3 дня", day7: "За неделю",
  sound: "звук", hashtag: "хештег", phrase: "фраза", format: "вид", challenge: "челлендж", trend: "тренд",
  sort: "Порядок", sort_rising: "Сначала растущие", sort_newest: "Новые оповещения", sort_updated: "Последние новости", sort_growth: "Рост", sort_velocity: "Роликов в час", sort_authors: "Люди", sort_reels: "Ролики", sort_score: "Шанс",
  search: "Искать имена, теги, звуки", clear: "Сбросить фильтры", list: "Тренды", growth: "рост", velocity: "в час", people: "людей", reels: "роликов", age: "возраст", expected: "ожидалось", observed: "наблюдалось", forecast: "прогноз", band: "обычный разброс", likely: "4 часа из 5",
  more: "Показать ещё", none: "Таких трендов нет", none_hint: "Уберите часть фильтров или ищите другие слова.", empty: "Пока ничего не сказано", empty_hint: "Тренды появятся, как только прогон запишет их в хранилище:",
  failed: "Радар не отвечает", again: "Ещё раз", key: "Этот радар просит ключ", key_label: "Ключ", open: "Открыть", key_wrong: "Это не ключ этого радара",
  back: "Все тренды", gone: "Такого тренда нет", started: "начало {0}", alerted: "оповещение {0}", score: "шанс взлететь", per_hour: "роликов в час", in_window: "роликов в окне", not_expected: "ожидалось {0}", accel: "с каждым часом ещё {0} в час",
  use: "Час за часом", lead_of: "что считаем: {0}", table: "То же таблицей", hour: "Час", range2: "2 дня", range7: "7 дней", range_all: "Всё",
  members: "Из чего он состоит", together: "Что встречается вместе", share: "{0} веса", life: "Его жизнь", examples: "Примеры роликов", related: "Рядом с ним", shares: "общих сигналов {0}, роликов {1}",
  rename: "Назвать иначе", rename_hint: "Имя; пусто: как было", keep: "Записать", cancel: "Отмена", judge: "Оповещение было верным?", real: "Верно", noise: "Шум", thanks: "Записано. Спасибо.", undo: "Отменить", said: "верно: {0}, шум: {1}", not_kept: "Не удалось записать: {0}",
  was_told: "первое сообщение", last_told: "последнее", became: "теперь {0}", news: "ревизия {0}", no_links: "Один сигнал: связывать нечего", link: "{0} и {1}: роликов {2}", links_unknown: "Связи неизвестны",
  theme: "Светлая или тёмная", language: "In English", other: "en", other_short: "EN", new_ones: ["тренд с новостями", "тренда с новостями", "трендов с новостями"], swell: "Зыбь", swell_about: "Рост и возраст; крупнее — больше людей", younger: "только что", older: "старше",
  spark: "{0} роликов за последний час, ожидалось {1}; больше всего {2} в час", chart_about: "Роликов в час с {0} по {1}: больше всего {2}, в конце {3} при ожидаемых {4}.", forecast_about: " В следующие {0} ч прогноз всего {1}.",
  download: "Таблица", json: "JSON", copy: "Id", reel: "ролик", d: "д", h: "ч", min: "мин", more_signals: "и ещё {0}",
};
const KINDS_RU = { sound: "звук", hashtag: "хештег", phrase: "фраза", look: "вид", sounds: "звука", hashtags: "хештега", phrases: "фразы", looks: "вида" };
const MONTHS_RU = { Jan: "янв.", Feb: "февр.", Mar: "марта", Apr: "апр.", May: "мая", Jun: "июня", Jul: "июля", Aug: "авг.", Sep: "сент.", Oct: "окт.", Nov: "нояб.", Dec: "дек." };
// The reason is made by the flow, in English: its clauses, one by one.
const CLAUSES_RU = [
  [/^(\d+) people (used it|brought it together) in (\d+) h where ([\d.]+) were expected$/, (n, did, h, e) => `${n} чел. за ${h} ч ${did === "used it" ? "использовали" : "соединили"} это, ожидалось ${e}`],
  [/^(\d+) signals \((.+)\) rise together$/, (n, kinds) => `${n} сигналов растут вместе (${kindsRu(kinds)})`],
  [/^(\d+) (\w+) rise together$/, (n, kind) => `${n} ${KINDS_RU[kind] ?? kind} растут вместе`],
  [/^(.+) rise together$/, (kinds) => `${kindsRu(kinds)} растут вместе`],
  [/^that was at (.+?), it is (\d+) now$/, (when, n) => `так было ${when.replace(/[A-Z][a-z]{2}/, (one) => MONTHS_RU[one] ?? one)}, сейчас ${n}`],
  [/^(\d+) of its reels are by (\d+) people, (.+)$/, (n, m, rest) => `${n} его роликов сняли ${m} чел., ${behindRu(rest)}`],
  [/^doubling every hour$/, () => "удваивается каждый час"],
  [/^doubling every (\d+) h$/, (n) => `удваивается каждые ${n} ч`],
  [/^(\d+) in 10 like it take off$/, (n) => `взлетают ${n} из 10 таких`],
];

function kindsRu(text) {
  return text.replace(/\w+/g, (word) => (word === "and" ? "и" : KINDS_RU[word] ?? word));
}

function behindRu(text) {
  return text
    .replace(/none with more than (\d+)/, "ни у кого не больше $1")
    .replace("each with one", "по одному у каждого")
    .replace(/at most (\d+) with one text/, "не больше $1 с одним текстом")
    .replace("all in own words", "все своими словами")
    .replace(/\((\d+) within an hour\)/, "($1 за час)");
}

export const language = { now: "en" };

export function choose(code) {
  language.now = code === "ru" ? "ru" : "en";
  document.documentElement.lang = language.now;
}

export function say(key, ...values) {
  const text = (language.now === "ru" ? RU : EN)[key];
  return text.replace(/\{(\d)\}/g, (_, at) => values[at]);
}

// A noun with its number, in the form that the language wants after it.
export function many(key, count) {
  const forms = (language.now === "ru" ? RU : EN)[key];
  const form = new Intl.PluralRules(language.now).select(count);
  return forms[{ one: 0, few: 1, many: 2 }[form] ?? forms.length - 1] ?? forms[forms.length - 1];
}

// A region or language by its name; of what is neither, its own words.
export function where(scope) {
  const [type, code = scope] = scope.split(":");
  if (!/^[A-Za-z]{2,3}$/.test(code) || !["region", "language"].includes(type)) return code;
  try {
    return new Intl.DisplayNames(language.now, { type }).of(type === "region" ? code.toUpperCase() : code.toLowerCase());
  } catch {
    return code;
  }
}

export function reason(text) {
  if (language.now !== "ru") return text;
  return text.split("; ").map((clause) => {
    for (const [pattern, make] of CLAUSES_RU) {
      const found = pattern.exec(clause);
      if (found) return make(...found.slice(1));
    }
    return clause;
  }).join("; ");
}

export function whole(value) {
  return new Intl.NumberFormat(language.now, { maximumFractionDigits: 0 }).format(value);
}

export function short(value) {
  const digits = Math.abs(value) < 10 ? 1 : 0;
  const compact = Math.abs(value) >= 10000 ? { notation: "compact" } : {};
  return new Intl.NumberFormat(language.now, { maximumFractionDigits: digits, ...compact }).format(value);
}

export function times(value) {
  return `${short(value)}×`;
}

export function percent(value) {
  return new Intl.NumberFormat(language.now, { style: "percent", maximumFractionDigits: 0 }).format(value);
}

const DAY = { day: "numeric", month: "short", timeZone: "UTC" };
const CLOCK = { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: "UTC" };
const PLACE = { en: "en-GB", ru: "ru" };

export function day(value) {
  return new Intl.DateTimeFormat(PLACE[language.now], DAY).format(new Date(value));
}

export function clock(value) {
  return new Intl.DateTimeFormat(PLACE[language.now], CLOCK).format(new Date(value));
}

export function moment(value) {
  return `${day(value)}, ${clock(value)} UTC`;
}

export function span(milliseconds) {
  const minutes = Math.max(0, Math.round(milliseconds / 60000));
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(hours / 24)} ${say("d")}`;
  if (hours >= 24) return `${Math.floor(hours / 24)} ${say("d")}` + (hours % 24 ? ` ${hours % 24} ${say("h")}` : "");
  if (hours) return `${hours} ${say("h")}`;
  return `${minutes} ${say("min")}`;
}
