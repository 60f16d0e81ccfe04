/** Workspaces, and the conversations of the one that is open. */

import { api } from "../api.js";
import { attempt, Component, counted, h, icon, iconButton, reconcile, rovingFocus } from "../dom.js";
import { conversationPath, navigate } from "../router.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { browseChannels, createChannel, createGroup } from "./channel-dialogs.js";
import { openMenu } from "./dialog.js";
import { avatar, presenceDot, tile } from "./person.js";
import { openSettings } from "./settings.js";
import { openSwitcher } from "./switcher.js";

const KEY = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘K" : "Ctrl+K";

/** Attribute-free; `current` is the open conversation's id, `page` the open page's name. */
export class SideBar extends Component {
  current = null;
  page = null;
  #rail = h("nav", { class: "rail", "aria-label": "Workspaces" });
  #head = h("div", { class: "side-head" });
  #body = h("div", { class: "side-body" });
  #sections = new Map();
  #focusable = () => {};

  mount() {
    this.replaceChildren(this.#rail, h("nav", { class: "side", "aria-label": "Conversations" }, this.#head, this.#body));
    this.listen(store, "workspaces conversations users presence invites connection", this.update);
    this.#sections.clear();
    this.#body.replaceChildren();
    this.#section("invites", "Invites");
    this.#section("channels", "Channels", iconButton("add", "Add channels", ({ currentTarget }) => this.#channelMenu(currentTarget)));
    this.#section("groups", "Groups", iconButton("add", "New group", createGroup));
    this.#section("dms", "Direct messages", iconButton("add", "New message", () => openSwitcher({ peopleOnly: true })));
    this.#focusable = rovingFocus(this.#body, () => [...this.#body.querySelectorAll(".side-item")], { signal: this.signal });
    this.render();
  }

  #section(name, title, button = null) {
    const list = h("ul", {});
    const element = h("section", { class: `side-section ${name}`, "aria-label": title }, h("div", { class: "side-title" }, h("h2", {}, title), button), list);
    this.#sections.set(name, { element, list });
    this.#body.append(element);
  }

  #channelMenu(anchor) {
    openMenu(anchor, "Add channels", [
      { label: "Browse channels", icon: "search", run: browseChannels },
      { label: "Create a channel", icon: "add", run: createChannel },
    ]);
  }

  render() {
    if (!store.me) return;
    this.#drawRail();
    this.#drawHead();
    const { channels, groups, dms } = store.listed(store.workspaceId);
    this.#draw("channels", channels);
    this.#draw("groups", groups);
    this.#draw("dms", dms);
    this.#drawInvites();
    this.#sections.get("channels").element.hidden = !store.workspace;
    this.#focusable();
    sync.show("side bar", dms.slice(0, 60).map((each) => each.other_user_ids[0] ?? store.me.user_id));
  }

  // --- rail -----------------------------------------------------------------------------------

  #drawRail() {
    const entries = [...store.workspaces.values()].map((each) => ({ ...each, ...unreadOf(each.workspace_id) }));
    const list = this.#rail.querySelector("ul") ?? h("ul", {});
    if (!this.#rail.children.length)
      this.#rail.append(
        list,
        iconButton("add", "New workspace", () => navigate("/w/new"), { class: "icon-button rail-add" }),
        h("span", { class: "grow" }),
        h("button", { class: "me", "aria-haspopup": "menu", onclick: ({ currentTarget }) => this.#userMenu(currentTarget) }),
      );
    reconcile(list, entries, {
      key: (each) => each.workspace_id,
      stamp: (each) => `${each.name} ${each.unread} ${each.badge} ${each.workspace_id === store.workspaceId}`,
      render: (each) => h("li", {}, this.#workspace(each)),
    });
    const me = this.#rail.querySelector(".me");
    const stamp = `${store.nameOf(store.me.user_id)} ${store.presenceOf(store.me.user_id)}`;
    if (me.stamp === stamp) return;
    me.stamp = stamp;
    me.setAttribute("aria-label", `${store.nameOf(store.me.user_id)}, your account`);
    me.replaceChildren(avatar(store.me.user_id), presenceDot(store.me.user_id));
  }

  #workspace({ workspace_id, name, badge, unread }) {
    const label = badge ? `${name}, ${counted(badge, "mention")}` : name;
    const mark = badge ? h("span", { class: "badge" }, String(badge)) : unread ? h("span", { class: "dot" }) : null;
    const current = workspace_id === store.workspaceId ? "true" : null;
    return h("a", { href: `/w/${workspace_id}`, class: "workspace", title: name, "aria-label": label, "aria-current": current }, tile(workspace_id, name, "square"), mark);
  }

  #userMenu(anchor) {
    const setPresence = (status) =>
      attempt(async () => {
        store.me.presence = (await api.put("/api/users/me/presence", { status })).status;
        store.changed("presence");
      });
    const presence = [["online", "Online"], ["away", "Away"], ["offline", "Appear offline"]];
    openMenu(anchor, "Your account", [
      ...presence.map(([status, label]) => ({ label, checked: store.me.presence === status, run: () => setPresence(status) })),
      null,
      { label: "Settings", icon: "settings", run: () => openSettings() },
      { label: "Sign out", icon: "back", run: () => api.signOut() },
    ]);
  }

  // --- head and sections ------------------------------------------------------------------------

  #drawHead() {
    const name = store.workspace?.name ?? "Nottermost";
    if (!this.#head.children.length)
      this.#head.append(
        h("strong", { class: "workspace-name", dir: "auto" }),
        h("button", { class: "jump-to", onclick: () => openSwitcher() }, icon("search", 16), h("span", { class: "grow" }, "Jump to…"), h("kbd", {}, KEY)),
        h("a", { class: "side-link" }, icon("people"), "People"),
      );
    this.#head.querySelector(".workspace-name").textContent = name;
    const people = this.#head.querySelector(".side-link");
    people.hidden = !store.workspace;
    people.href = `/w/${store.workspaceId}/people`;
    people.toggleAttribute("aria-current", this.page === "people");
  }

  #draw(section, conversations) {
    const { list } = this.#sections.get(section);
    const entries = conversations.length ? conversations : [null];
    reconcile(list, entries, {
      key: (each) => each?.conversation_id ?? "none",
      stamp: (each) => each && this.#stamp(each),
      render: (each) => (each ? this.#item(each) : this.#none(section)),
    });
  }

  #stamp(conversation) {
    const { type, unread_count, conversation_id, other_user_ids } = conversation;
    const presence = type === "DM" && store.presenceOf(other_user_ids[0] ?? store.me.user_id);
    return [store.titleOf(conversation), unread_count > 0, store.badge(conversation), conversation_id === this.current, presence, store.workspaceId].join("\u0001");
  }

  #none(section) {
    const text = { channels: "Browse or create channels", groups: "Start a group", dms: "Write to somebody" }[section];
    const run = { channels: browseChannels, groups: createGroup, dms: () => openSwitcher({ peopleOnly: true }) }[section];
    return h("li", {}, h("button", { class: "side-item quiet", tabindex: "-1", onclick: run }, icon("add", 16), h("span", { class: "side-label" }, text)));
  }

  #item(conversation) {
    const { type, unread_count, other_user_ids } = conversation;
    const badge = store.badge(conversation);
    const title = store.titleOf(conversation);
    const waiting = type === "CHANNEL" ? counted(badge, "mention") : `${badge} unread`;
    const other = other_user_ids[0] ?? store.me.user_id;
    const face = type === "DM" && h("span", { class: "with-presence" }, avatar(other, "tiny"), presenceDot(other));
    const picture = face || icon(type === "GROUP" ? "people" : conversation.private ? "lock" : "hash", 16);
    return h(
      "li",
      {},
      h(
        "a",
        {
          href: conversationPath(conversation, store.workspaceId),
          class: unread_count ? "side-item unread" : "side-item",
          tabindex: "-1",
          "aria-current": conversation.conversation_id === this.current ? "page" : null,
          "aria-label": [title, badge ? waiting : unread_count ? "unread" : ""].filter(Boolean).join(", "),
          "data-conversation-id": conversation.conversation_id,
          "data-unread": unread_count || null,
        },
        picture,
        h("span", { class: "side-label", dir: "auto" }, title),
        badge ? h("span", { class: "badge" }, badge > 99 ? "99+" : String(badge)) : null,
      ),
    );
  }

  #drawInvites() {
    const { element, list } = this.#sections.get("invites");
    element.hidden = !store.invites.length;
    const answer = (invite, accept) =>
      attempt(async () => {
        const path = `/api/chats/conversations/${invite.conversation_id}`;
        try {
          const view = await api.post(`${path}/${accept ? "join" : "decline"}`, { invite_id: invite.invite_id });
          if (accept) navigate(conversationPath(sync.learn(view), store.workspaceId));
        } finally {
          store.invites = store.invites.filter((each) => each !== invite);
          store.changed("invites");
        }
      });
    reconcile(list, store.invites, {
      key: (invite) => invite.invite_id,
      stamp: (invite) => `${invite.title} ${store.nameOf(invite.invited_by)}`,
      render: (invite) =>
        h(
          "li",
          { class: "invite" },
          h("p", {}, h("strong", { dir: "auto" }, invite.title), ` from ${store.nameOf(invite.invited_by)}`),
          h("button", { class: "primary", "aria-label": `Accept the invite to ${invite.title}`, onclick: () => answer(invite, true) }, "Accept"),
          h("button", { "aria-label": `Decline the invite to ${invite.title}`, onclick: () => answer(invite, false) }, "Decline"),
        ),
    });
  }
}

function unreadOf(workspaceId) {
  const channels = [...store.conversations.values()].filter((each) => each.workspace_id === workspaceId && each.joined && !each.archived);
  return { unread: channels.some((each) => each.unread_count > 0), badge: channels.reduce((sum, each) => sum + store.badge(each), 0) };
}

customElements.define("nm-side-bar", SideBar);
