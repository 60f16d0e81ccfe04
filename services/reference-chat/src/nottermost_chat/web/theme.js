/** Light, dark, or as the system has it. */

const KEY = "nottermost.theme";

export const theme = () => localStorage.getItem(KEY) ?? "system";

export function setTheme(value) {
  localStorage.setItem(KEY, value);
  document.documentElement.dataset.theme = value;
}

setTheme(theme());
