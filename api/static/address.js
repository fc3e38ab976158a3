// What is looked at, in the part of the address after #: it can be sent to others, and gone back from.
const SEVERAL = ["stage", "kind", "scope"];
const ONE = ["q", "sort", "days", "trend", "lang"];

export function place() {
  const found = new URLSearchParams(location.hash.slice(1));
  const at = {};
  for (const name of SEVERAL) at[name] = found.getAll(name).slice(0, 20);
  for (const name of ONE) at[name] = (found.get(name) ?? "").slice(0, 300);
  return at;
}

export function addressOf(at) {
  const given = new URLSearchParams();
  for (const name of SEVERAL) for (const value of at[name] ?? []) given.append(name, value);
  for (const name of ONE) if (at[name]) given.set(name, at[name]);
  return "#" + given;
}

// Go there; `replacing` leaves no step to go back to, as for each letter of a search.
export function go(change, replacing = false) {
  const address = addressOf({ ...place(), ...change });
  if (address === (location.hash || "#")) return;
  if (replacing) {
    history.replaceState(null, "", address);
    dispatchEvent(new Event("hashchange"));
  } else location.hash = address;
}

export function filtered(at) {
  return Boolean(at.stage.length || at.kind.length || at.scope.length || at.q || at.days);
}
