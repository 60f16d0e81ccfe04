/** The quick switcher (Ctrl/Cmd+K): people and conversations by name. */

import { api } from "../api.js";
import { attempt, h, icon } from "../dom.js";
import { conversationPath, navigate } from "../router.js";
import { store } from "../store.js";
import { openDialog } from "./dialog.js";
import { avatar, openDm } from "./person.js";

const SHOWN_MAX = 12;

export function openSwitcher({ peopleOnly = false } = {}) {
  if (document.querySelector("dialog.switcher")) return;
  const list = h("ul", { id: "switcher-list", role: "listbox", "aria-label": "Matches" });
  const input = h("input", {
    type: "text",
    role: "combobox",
    "aria-label": peopleOnly ? "Find people" : "Find people and conversations",
    "aria-controls": "switcher-list",
    "aria-expanded": "true",
    placeholder: peopleOnly ? "Who do you want to write to?" : "Where to?",
    autocomplete: "off",
    spellcheck: "false",
    autofocus: true,
    oninput: () => refresh(),
  });
  let matches = [];
  let chosen = 0;
  let asked = 0;
  const draw = () => {
    list.replaceChildren(...matches.map((match, at) => row(match, at)));
    if (!matches.length) list.append(h("li", { class: "empty" }, input.value.trim() ? "Nothing found." : "Type a name or an e-mail address."));
    mark(0);
  };
  const row = (match, at) => {
    const props = { role: "option", id: `switcher-${at}`, onpointermove: () => chosen !== at && mark(at), onclick: () => go(match) };
    const badge = match.unread ? h("span", { class: "badge" }, String(match.unread)) : null;
    return h("li", props, picture(match), h("span", { class: "switcher-label", dir: "auto" }, match.label), badge, h("span", { class: "dim" }, match.hint));
  };
  const mark = (at) => {
    chosen = at;
    [...list.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === at)));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", `switcher-${at}`);
  };
  const refresh = async () => {
    const query = input.value.trim();
    const own = peopleOnly ? [] : localMatches(query);
    matches = own;
    draw();
    const turn = ++asked;
    if (!query) return;
    const found = await attempt(() => api.get("/api/chats/search", { q: query, limit: SHOWN_MAX }));
    if (turn !== asked || !found) return;
    const dms = new Set(own.map((match) => match.otherId));
    const ids = new Set(own.map((match) => match.id));
    matches = [...own, ...found.filter((match) => !ids.has(match.id) && !dms.has(match.id) && !(peopleOnly && match.kind !== "user"))].slice(0, SHOWN_MAX);
    draw();
  };
  const go = async (match) => {
    dialog.close();
    if (match.kind === "user") return openDm(match.id);
    const conversation = store.conversations.get(match.id) ?? (await attempt(() => api.get(`/api/chats/conversations/${match.id}`)));
    if (conversation) navigate(conversationPath(conversation, store.workspaceId));
    return undefined;
  };
  const keys = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && matches.length) mark((chosen + step + matches.length) % matches.length);
    else if (event.key === "Enter" && !event.isComposing && matches[chosen]) go(matches[chosen]);
    else return;
    event.preventDefault();
  };
  const dialog = openDialog(peopleOnly ? "New message" : "Jump to", h("div", { onkeydown: keys }, input, list), { className: "switcher" });
  refresh();
}

function picture(match) {
  if (match.kind === "user") return avatar(match.id, "small");
  const conversation = store.conversations.get(match.id);
  if (conversation?.type === "DM") return avatar(conversation.other_user_ids[0] ?? store.me.user_id, "small");
  return h("span", { class: "switcher-icon" }, icon(conversation?.type === "GROUP" ? "people" : conversation?.private ? "lock" : "hash"));
}

/** Conversations that we have: those that want attention first, then the most recent. */
function localMatches(query) {
  const wanted = query.toLowerCase();
  const rank = (title) => (title.startsWith(wanted) ? 0 : title.split(/[\s_.-]+/).some((word) => word.startsWith(wanted)) ? 1 : title.includes(wanted) ? 2 : 9);
  return [...store.conversations.values()]
    .filter((each) => each.joined && !each.archived)
    .map((each) => {
      const label = store.titleOf(each);
      const names = [label, ...(each.type === "DM" ? each.other_user_ids.map((id) => store.user(id).username) : [])];
      return { each, label, rank: Math.min(...names.map((name) => rank(name.toLowerCase()))) };
    })
    .filter((one) => one.rank < 9)
    .sort((a, b) => a.rank - b.rank || Boolean(b.each.unread_count) - Boolean(a.each.unread_count) || (b.each.last_message_at ?? "").localeCompare(a.each.last_message_at ?? ""))
    .slice(0, SHOWN_MAX)
    .map(({ each, label }) => ({
      kind: "conversation",
      id: each.conversation_id,
      label,
      otherId: each.type === "DM" ? each.other_user_ids[0] : null,
      unread: each.unread_count,
      hint: each.type === "CHANNEL" ? (store.workspaces.get(each.workspace_id)?.name ?? "") : each.type === "GROUP" ? "Group" : "",
    }));
}
