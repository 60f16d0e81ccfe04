/** Choosing people (and teams) for a channel or a group. */

import { api } from "../api.js";
import { attempt, h, iconButton, twoLines } from "../dom.js";
import { store } from "../store.js";
import { form, openDialog } from "./dialog.js";
import { avatar, tile } from "./person.js";

const SHOWN_MAX = 30;

/**
 * Ask for people in a dialog.
 * @param {{title: string, action: string, exclude?: Set<string>, teams?: object[], before?: Element[], required?: boolean}} options
 *   before: fields above the list, whose values `submit` gets third
 * @param {(userIds: string[], teamIds: string[], values: Record<string, string>) => Promise<void>} submit
 */
export async function choosePeople({ title, action, exclude = new Set(), teams = [], before = [], required = true }, submit) {
  const chosen = new Map(); // id -> {label, team}
  const chips = h("ul", { class: "chips", "aria-label": "Chosen" });
  const list = h("ul", { class: "people choosable", "aria-label": "People" });
  const search = h("input", { type: "search", "aria-label": "Find people", placeholder: "Name or e-mail", autocomplete: "off", oninput: () => draw() });
  let people = await workspacePeople();
  const toggle = (id, label, team) => {
    if (!chosen.delete(id)) chosen.set(id, { label, team });
    drawChips();
  };
  const drop = (id) => (chosen.delete(id), draw(), search.focus());
  const drawChips = () => chips.replaceChildren(...[...chosen].map(([id, { label }]) => h("li", {}, label, iconButton("close", `Remove ${label}`, () => drop(id)))));
  const row = (id, label, hint, picture, team) => {
    const box = h("input", { type: "checkbox", checked: chosen.has(id), onchange: () => toggle(id, label, team) });
    return h("li", {}, h("label", { class: "person" }, box, picture, twoLines(label, hint)));
  };
  const draw = () => {
    const wanted = search.value.toLowerCase().trim();
    const fits = (text) => text.toLowerCase().includes(wanted);
    const users = people.filter((user) => user.user_id !== store.me.user_id && !exclude.has(user.user_id) && !user.deleted && fits(`${user.display_name} ${user.username}`));
    list.replaceChildren(
      ...teams
        .filter((team) => fits(team.name))
        .map(({ team_id, name, member_ids }) => row(team_id, name, `Team of ${member_ids.length}`, tile(team_id, name, "small"), true)),
      ...users.slice(0, SHOWN_MAX).map((user) => row(user.user_id, user.display_name || user.username, `@${user.username}`, avatar(user.user_id, "small"), false)),
    );
    if (!list.children.length) list.append(h("li", { class: "empty" }, wanted ? "Nobody found." : "Nobody else is here yet."));
    drawChips();
    if (wanted.length >= 2 && users.length < 5) findMore(wanted);
  };
  let asked = "";
  const findMore = async (wanted) => {
    if (asked === wanted) return;
    asked = wanted;
    const matches = await attempt(() => api.get("/api/chats/search", { q: wanted, limit: 20 }));
    const ids = (matches ?? []).filter((match) => match.kind === "user" && !people.some((user) => user.user_id === match.id)).map((match) => match.id);
    if (!ids.length) return;
    const found = await attempt(() => api.get("/api/users", { ids: ids.join(",") }));
    people = [...people, ...(found ?? [])];
    store.learnUsers(found ?? []);
    if (search.value.toLowerCase().trim() === wanted) draw();
  };
  const send = async (values) => {
    const ids = (team) => [...chosen].filter(([, each]) => each.team === team).map(([id]) => id);
    if (required && !chosen.size) throw Object.assign(new Error("Choose at least one person."), { code: "nobody" });
    await submit(ids(false), ids(true), values);
    dialog.close();
  };
  draw();
  const dialog = openDialog(title, form([...before, chips, search, list], action, send), { className: "tall" });
}

async function workspacePeople() {
  if (!store.workspaceId) return [...store.users.values()];
  const members = await attempt(() => api.get(`/api/workspaces/${store.workspaceId}/members`, { limit: 200 }));
  store.learnUsers((members ?? []).map((member) => member.user));
  return (members ?? []).map((member) => member.user);
}
