// Times: in the reader's own zone, which is always named, or in UTC. What is sent and saved is UTC.

const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const isUtc = (name) => ["UTC", "Etc/UTC", "GMT", "Etc/GMT"].includes(name);
let wanted = localStorage.getItem("zone") === "UTC" || isUtc(own) ? "UTC" : own;

const two = (number) => String(number).padStart(2, "0");

// Whether there is a choice: the reader does not live in UTC.
export const zoneChoice = () => !isUtc(own);
export const zoneName = () => wanted;

// As short as it can be told: UTC, GMT+2, EST.
export function zone() {
  if (wanted === "UTC") return "UTC";
  const parts = new Intl.DateTimeFormat("en", { timeZone: own, timeZoneName: "short" }).formatToParts(new Date());
  return parts.find((part) => part.type === "timeZoneName").value;
}

export function flipZone() {
  wanted = wanted === "UTC" ? own : "UTC";
  localStorage.setItem("zone", wanted === "UTC" ? "UTC" : "own");
}

// [year, month, day, hour, minute, second] as the wall clock of the zone shows them.
function fields(ms) {
  const at = new Date(ms);
  return wanted === "UTC" ?
    [at.getUTCFullYear(), at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()] :
    [at.getFullYear(), at.getMonth() + 1, at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()];
}

export function shortTime(ms) {
  const [, month, day, hour, minute, second] = fields(ms);
  return `${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`;
}

export const utc = (ms) => new Date(ms).toISOString();
export const utcDate = (ms) => (ms ? utc(ms).slice(0, 10) : "–");

// For the charts' crosshair and axis; seconds. Kinds of marks: 0 year, 1 month, 2 day, 3 and 4 time.
export function crosshairTime(seconds) {
  const [year, month, day, hour, minute] = fields(seconds * 1000);
  return `${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)} ${zone()}`;
}

export function axisTime(seconds, kind) {
  const [year, month, day, hour, minute, second] = fields(seconds * 1000);
  if (kind >= 3) return `${two(hour)}:${two(minute)}${kind === 4 ? `:${two(second)}` : ""}`;
  const whole = hour === 0 && minute === 0; // the library's days begin at midnight UTC
  if (!whole) return `${two(day)} ${two(hour)}:${two(minute)}`;
  return kind === 0 ? String(year) : kind === 1 ? `${year}-${two(month)}` : String(day);
}
