/** Times as people read them, in the reader's time zone. */

const LOCALE = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const CLOCK = new Intl.DateTimeFormat(LOCALE, { hour: "numeric", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(LOCALE, { weekday: "long", month: "long", day: "numeric" });
const DAY_YEAR = new Intl.DateTimeFormat(LOCALE, { weekday: "short", year: "numeric", month: "long", day: "numeric" });
const SHORT = new Intl.DateTimeFormat(LOCALE, { month: "short", day: "numeric" });
const SHORT_YEAR = new Intl.DateTimeFormat(LOCALE, { year: "numeric", month: "short", day: "numeric" });
const FULL = new Intl.DateTimeFormat(LOCALE, { dateStyle: "full", timeStyle: "medium" });
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const DAY_MS = 86_400_000;

export const formatClock = (time) => CLOCK.format(new Date(time));
export const formatFull = (time) => FULL.format(new Date(time));

/** A key that is the same for times on one local day. */
export const dayOf = (time) => new Date(time).toDateString();

function daysAgo(time) {
  const midnight = (date) => new Date(date).setHours(0, 0, 0, 0);
  return Math.round((midnight(Date.now()) - midnight(time)) / DAY_MS);
}

/** "Today", "Yesterday", "Monday, 3 March", with the year where it is another one. */
export function formatDay(time) {
  const ago = daysAgo(time);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  const date = new Date(time);
  return (date.getFullYear() === new Date().getFullYear() ? DAY : DAY_YEAR).format(date);
}

/** As short as it can be: the time today, else the day. */
export function formatShort(time) {
  const date = new Date(time);
  if (daysAgo(time) === 0) return CLOCK.format(date);
  return (date.getFullYear() === new Date().getFullYear() ? SHORT : SHORT_YEAR).format(date);
}

/** "3 minutes ago", "yesterday". */
export function formatAgo(time) {
  const seconds = (new Date(time) - Date.now()) / 1000;
  for (const [unit, size] of [["day", 86_400], ["hour", 3600], ["minute", 60]])
    if (Math.abs(seconds) >= size) return RELATIVE.format(Math.round(seconds / size), unit);
  return "just now";
}

export function formatSize(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let at = 0;
  for (; bytes >= 1000 && at < units.length - 1; at++) bytes /= 1000;
  return `${at && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[at]}`;
}
