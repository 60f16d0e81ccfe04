/** The chat's frame: side bar, what is open, a pane beside it, the banner. */

import { api } from "../api.js";
import { Component, h, narrow, toast } from "../dom.js";
import { showTitle } from "../notify.js";
import { conversationPath, currentRoute, navigate } from "../router.js";
import { socket } from "../socket.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { workspacePage } from "./account-pages.js";
import { DetailsPane } from "./details-pane.js";
import { openSwitcher } from "./switcher.js";
import { ThreadPane } from "./thread-pane.js";

const LAST = "nottermost.last"; // the address that was open last
const BANNER_AFTER_MS = 700; // a quick reconnect needs no words

export class Shell extends Component {
  #side = document.createElement("nm-side-bar");
  #main = h("main", { id: "main", tabindex: "-1" });
  #pane = h("aside", { class: "pane", hidden: true });
  #banner = h("div", { class: "banner", role: "status", hidden: true });
  #conversation = document.createElement("nm-conversation");
  #people = document.createElement("nm-people");
  #bannerTimer = 0;
  #opened = 0;

  mount() {
    const veil = h("button", { class: "veil", "aria-label": "Close side bar", tabindex: "-1", onclick: () => this.#drawer(false) });
    this.replaceChildren(h("a", { class: "skip", href: "#main" }, "Skip to the conversation"), this.#banner, this.#side, veil, this.#main, this.#pane);
    this.listen(window, "navigate", () => this.route());
    this.listen(window, "keydown", (event) => this.#key(event));
    this.listen(window, "open-conversation", ({ detail }) => navigate(conversationPath(store.conversations.get(detail) ?? { conversation_id: detail }, store.workspaceId)));
    this.listen(store, "connection", () => this.#drawBanner());
    this.listen(store, "conversations invites users", this.update);
    this.listen(store, "workspaces", () => this.#workspacesChanged());
    this.listen(store, "removed", ({ detail }) => this.#removed(detail));
    this.listen(this, "drawer", () => this.#drawer(!this.classList.contains("drawer-open")));
    this.listen(this, "open-thread", ({ detail }) => this.#openPane(new ThreadPane(store.conversations.get(this.#side.current), detail.rootId, detail.seq ?? null), "Thread"));
    this.listen(this, "details", () => this.#togglePane(() => new DetailsPane(this.#side.current), "Details"));
    this.listen(this, "search", () => this.#search());
    this.listen(this, "close-pane", () => this.#closePane());
    this.listen(this.#side, "click", ({ target }) => target.closest("a") && this.#drawer(false));
    this.route();
    this.#drawBanner();
  }

  // --- what is open -----------------------------------------------------------------------------

  async route() {
    const route = currentRoute();
    if (route.name === "new-workspace" || (!store.workspaces.size && !route.conversationId)) return this.#showNewWorkspace();
    const workspaceId = store.workspaces.has(route.workspaceId) ? route.workspaceId : this.#anyWorkspace();
    if (workspaceId !== store.workspaceId) {
      store.workspaceId = workspaceId;
      this.#people = document.createElement("nm-people");
      if (workspaceId) sync.refreshTeams(workspaceId).catch(() => null);
    }
    if (route.name === "conversation") return this.#showConversation(route);
    if (location.pathname.endsWith("/people")) return this.#showPeople();
    return this.#goHome(workspaceId);
  }

  #anyWorkspace() {
    const last = /^\/w\/([^/]+)/.exec(localStorage.getItem(LAST) ?? "")?.[1];
    return store.workspaces.has(last) ? last : ([...store.workspaces.keys()][0] ?? null);
  }

  /** Where one was, else the first channel, else the people. */
  #goHome(workspaceId) {
    const { channels, dms, groups } = store.listed(workspaceId);
    const last = localStorage.getItem(LAST) ?? "";
    const lastId = last.startsWith(`/w/${workspaceId}/c/`) ? last.split("/").at(-1) : "";
    const all = [...channels, ...groups, ...dms];
    const [first] = channels.toSorted((a, b) => (a.conversation_id < b.conversation_id ? -1 : 1)); // the oldest: where all meet
    const place = all.find((each) => each.conversation_id === lastId) ?? first ?? all[0];
    const go = place && (channels.length || lastId) ? conversationPath(place, workspaceId) : `/w/${workspaceId}/people`;
    navigate(go, { replace: true });
  }

  async #showConversation({ conversationId, seq }) {
    const turn = ++this.#opened;
    if (!store.conversations.has(conversationId)) await sync.refetch(conversationId);
    if (turn !== this.#opened) return;
    const conversation = store.conversations.get(conversationId);
    if (!conversation) {
      toast("This conversation does not exist, or you are not in it.", { kind: "error" });
      this.#leaveTo(store.workspaceId ? `/w/${store.workspaceId}/people` : "/");
      return;
    }
    const other = this.#side.current !== conversationId;
    if (other && !(this.#pane.firstElementChild?.localName === "nm-search")) this.#closePane();
    this.#place("conversation", conversationId);
    if (conversation.joined) localStorage.setItem(LAST, conversationPath(conversation, store.workspaceId));
    if (this.#main.firstElementChild !== this.#conversation) this.#main.replaceChildren(this.#conversation);
    const opening = this.#conversation.open(conversationId, seq);
    if (!narrow() && !seq && this.#pane.hidden) this.#conversation.focus();
    if (seq) history.replaceState(null, "", location.pathname); // a second click on the same hit jumps again
    await opening;
  }

  #showPeople() {
    this.#opened++;
    this.#closePane();
    this.#place("people", null);
    sync.open(null);
    this.#main.replaceChildren(this.#people);
    this.#people.open(store.workspaceId);
  }

  #showNewWorkspace() {
    const created = async (workspace) => {
      store.workspaces.set(workspace.workspace_id, workspace);
      store.changed("workspaces");
      navigate(`/w/${workspace.workspace_id}/people`);
    };
    const first = !store.workspaces.size;
    this.classList.toggle("bare", first && !store.conversations.size);
    this.#opened++;
    this.#closePane();
    this.#place("new-workspace", null);
    this.#main.replaceChildren(workspacePage(created, { first }).firstElementChild);
    this.#main.querySelector("[autofocus]")?.focus();
  }

  #place(page, conversationId) {
    if (page !== "new-workspace") this.classList.remove("bare");
    this.#side.page = page;
    this.#side.current = conversationId;
    this.#side.update();
    this.#drawer(false);
    this.update();
  }

  render() {
    const conversation = store.conversations.get(this.#side.current);
    showTitle(conversation ? store.titleOf(conversation) : (store.workspace?.name ?? ""));
  }

  #workspacesChanged() {
    const waiting = this.#side.page === "new-workspace" && !store.workspaceId && store.workspaces.size && !this.#main.querySelector("input")?.value;
    const gone = store.workspaceId && !store.workspaces.has(store.workspaceId);
    if (waiting || gone) this.#leaveTo("/");
  }

  #removed({ conversation, byMe }) {
    if (!byMe) toast(`You were removed from ${store.titleOf(conversation)}.`);
    if (conversation.conversation_id !== this.#side.current) return;
    localStorage.removeItem(LAST);
    this.#leaveTo(store.workspaceId ? `/w/${store.workspaceId}` : "/");
  }

  #leaveTo(path) {
    this.#closePane();
    this.#side.current = null;
    navigate(path, { replace: true });
  }

  // --- pane, drawer, banner, keys -----------------------------------------------------------------

  #openPane(content, label) {
    this.#pane.hidden = false; // first: nothing that is hidden takes the focus
    this.#pane.replaceChildren(content);
    this.#pane.setAttribute("aria-label", label);
    this.classList.add("with-pane");
  }

  #togglePane(make, label) {
    if (this.#pane.getAttribute("aria-label") === label && !this.#pane.hidden) this.#closePane();
    else this.#openPane(make(), label);
  }

  #search() {
    if (this.#pane.firstElementChild?.localName === "nm-search") return this.#pane.firstElementChild.focus();
    const pane = document.createElement("nm-search");
    const conversation = store.conversations.get(this.#side.current);
    if (conversation && conversation.type !== "DM") pane.place = conversation.title;
    return this.#openPane(pane, "Search");
  }

  #closePane() {
    if (this.#pane.hidden) return;
    const focused = this.#pane.contains(document.activeElement);
    this.#pane.hidden = true;
    this.#pane.replaceChildren();
    this.classList.remove("with-pane");
    if (focused) this.#conversation.focus();
  }

  #drawer(open) {
    this.classList.toggle("drawer-open", open);
    if (open) this.#side.querySelector(".side-item[tabindex='0']")?.focus();
  }

  #drawBanner() {
    const { state } = socket;
    const away = ["waiting", "connecting", "draining", "stopped"].includes(state);
    if (!away) {
      clearTimeout(this.#bannerTimer);
      this.#bannerTimer = 0;
      this.#banner.hidden = true;
      return;
    }
    const text = { draining: "The server is restarting. Messages wait and go out.", stopped: "Disconnected." }[state] ?? "Reconnecting… Messages wait and go out.";
    const retry = () => api.refresh().then(() => socket.connect(), () => null);
    const again = h("button", { class: "link", onclick: retry }, "Try now");
    this.#banner.replaceChildren(h("span", {}, text), state === "stopped" || state === "waiting" ? again : "");
    if (state === "draining" || state === "stopped") this.#banner.hidden = false;
    else this.#bannerTimer ||= setTimeout(() => (this.#banner.hidden = socket.state === "open"), BANNER_AFTER_MS);
  }

  #key(event) {
    const command = event.ctrlKey || event.metaKey;
    if (command && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openSwitcher();
    } else if (command && event.shiftKey && event.key.toLowerCase() === "f") {
      event.preventDefault();
      this.#search();
    } else if (event.key === "Escape" && this.classList.contains("drawer-open")) this.#drawer(false);
    else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) this.#step(event);
  }

  /** Alt+Up and Alt+Down go through the side bar; with Shift to the next unread one. */
  #step(event) {
    const links = [...this.#side.querySelectorAll("a.side-item")];
    const at = links.findIndex((each) => each.dataset.conversationId === this.#side.current);
    const way = event.key === "ArrowDown" ? 1 : -1;
    const order = [...links.slice(at + 1), ...links.slice(0, Math.max(at, 0))];
    const choice = way > 0 ? order : order.reverse();
    const next = choice.find((each) => !event.shiftKey || each.classList.contains("unread"));
    if (!next) return;
    event.preventDefault();
    next.click();
  }
}

customElements.define("nm-shell", Shell);
