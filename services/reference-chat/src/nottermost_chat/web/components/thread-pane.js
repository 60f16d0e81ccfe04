/** A thread beside its conversation: the root, the replies, a composer. */

import { Component, h, iconButton } from "../dom.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { Thread } from "../timeline.js";
import { acceptDrops } from "./composer.js";
import { typingText } from "./conversation.js";

/** Events: `close-pane`, bubbles. */
export class ThreadPane extends Component {
  #thread = null;
  #list = document.createElement("nm-messages");
  #composer = document.createElement("nm-composer");
  #typing = h("p", { class: "typing" });

  /** @param {number | null} seq jump to this reply */
  constructor(conversation, rootId, seq = null) {
    super();
    this.conversation = conversation;
    this.rootId = rootId;
    this.seq = seq;
  }

  mount() {
    const { conversation, rootId } = this;
    const close = () => this.dispatchEvent(new Event("close-pane", { bubbles: true }));
    const place = h("span", { class: "dim", dir: "auto" }, store.titleOf(conversation));
    const open = conversation.joined && !conversation.archived;
    this.replaceChildren(
      h("header", { class: "pane-head" }, h("h2", {}, "Thread"), place, iconButton("close", "Close thread", close)),
      this.#list,
      this.#typing,
      h("div", { class: "composer-area" }, open ? this.#composer : null),
    );
    this.#thread = new Thread(conversation.conversation_id, rootId);
    sync.follow(this.#thread);
    this.#list.threadId = rootId;
    this.#list.show(this.#thread, { seq: this.seq });
    if (open) this.#composer.compose(conversation, rootId);
    this.listen(this, "sent", (event) => (event.stopPropagation(), this.#list.sent()));
    this.listen(this, "edit-last", () => this.#list.editLast());
    this.listen(this, "focus-composer", (event) => (event.stopPropagation(), this.#composer.focus()));
    this.listen(this, "keydown", (event) => event.key === "Escape" && !event.defaultPrevented && close());
    this.listen(store, "typing users", () => (this.#typing.textContent = typingText(store.typingIn(conversation.conversation_id, rootId).map((id) => store.nameOf(id)))));
    if (open) acceptDrops(this, (files) => this.#composer.addFiles(files));
    if (open && this.seq === null) this.#composer.focus();
  }

  unmount() {
    sync.unfollow(this.#thread);
  }
}

customElements.define("nm-thread", ThreadPane);
