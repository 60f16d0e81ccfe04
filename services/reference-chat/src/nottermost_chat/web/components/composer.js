/** Where a message is written: for a conversation, a thread, or in the place of a message that is edited. */

import { attempt, codePoints, Component, h, icon, iconButton, toast, twoLines } from "../dom.js";
import { upload } from "../files.js";
import { outbox } from "../outbox.js";
import { store } from "../store.js";
import { sync } from "../sync.js";
import { formatSize } from "../time.js";
import { textOf } from "../timeline.js";
import { Completion } from "./completion.js";
import { openEmojiPicker } from "./emoji-picker.js";

const BODY_CHARS_MAX = 100_000; // code points, of the protocol
const COUNT_FROM = 90_000;
const FILES_MAX = 10; // of the protocol
const TYPING_EVERY_MS = 3_000;
const MARKS = [["bold", "Bold", "**", "b"], ["italic", "Italic", "_", "i"], ["strike", "Strike through", "~~", null], ["code", "Code", "`", "e"]];

const drafts = {
  key: (id) => `nottermost.draft.${store.me.user_id}.${id}`,
  read: (id) => localStorage.getItem(drafts.key(id)) ?? "",
  write: (id, text) => (text ? localStorage.setItem(drafts.key(id), text) : localStorage.removeItem(drafts.key(id))),
};

export function forgetDrafts() {
  for (const key of Object.keys(localStorage)) if (key.startsWith("nottermost.draft.")) localStorage.removeItem(key);
}

/** Let files be dropped anywhere on `element`. */
export function acceptDrops(element, add) {
  element.listen(element, "dragover", (event) => event.dataTransfer.types.includes("Files") && (event.preventDefault(), element.classList.add("dropping")));
  element.listen(element, "dragleave", (event) => element.contains(event.relatedTarget) || element.classList.remove("dropping"));
  element.listen(element, "drop", (event) => {
    event.preventDefault();
    element.classList.remove("dropping");
    add(event.dataTransfer.files);
  });
}

const files = new Map(); // draft id -> {file, view, ratio, error, abort}[]: they stay with the draft when one looks elsewhere

/** Events: `sent`; `edit-last` when Up is pressed in an empty field. Both bubble. */
export class Composer extends Component {
  #conversation = null;
  #threadId = null;
  #finish = null; // editing: gets the new text, or null to give up
  #typedAt = 0;
  #input = h("textarea", { rows: "1", "aria-label": "Message", dir: "auto", enterkeyhint: "send" });
  #completion = new Completion(this.#input, () => this.#conversation);
  #list = h("ul", { class: "uploads", "aria-label": "Files to send" });
  #send = h("button", { class: "send primary", "aria-label": "Send", title: "Send (Enter)", onclick: () => this.#submit() }, icon("send"));
  #count = h("span", { class: "count", "aria-live": "polite" });
  #broadcast = h("input", { type: "checkbox" });
  #picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Choose files", onchange: () => this.#choose() });

  mount() {
    this.listen(this.#input, "input", () => this.#typed());
    this.listen(this.#input, "click", () => this.#completion.refresh());
    this.listen(this.#input, "keydown", (event) => this.#key(event));
    this.listen(this.#input, "blur", () => this.#completion.close());
    this.listen(this.#input, "paste", (event) => {
      const { files: pasted, types } = event.clipboardData;
      if (!pasted.length || this.#finish || types.includes("text/plain")) return; // a text that also has a picture is a text
      event.preventDefault();
      this.addFiles(pasted);
    });
  }

  /** Write to a conversation, or to one of its threads. */
  compose(conversation, threadId = null) {
    this.#conversation = conversation;
    this.#threadId = threadId;
    this.#input.placeholder = threadId ? "Reply…" : `Message ${conversation.type === "CHANNEL" ? "#" : ""}${store.titleOf(conversation)}`;
    this.#input.value = drafts.read(this.#draftId);
    this.#draw();
  }

  /** Change a message in its place. @param {(body: string | null) => void} finish */
  edit(conversation, message, finish) {
    this.#conversation = conversation;
    this.#finish = finish;
    this.#input.value = textOf(message);
    this.#input.setAttribute("aria-label", "Edit message");
    this.#draw();
    requestAnimationFrame(() => this.#grow());
  }

  focus() {
    this.#input.focus();
  }

  /** Put text where the caret is. */
  insert(text) {
    this.#input.focus();
    this.#input.setRangeText(text, this.#input.selectionStart, this.#input.selectionEnd, "end");
    this.#typed();
  }

  get #draftId() {
    return this.#threadId ?? this.#conversation.conversation_id;
  }

  get #files() {
    return (!this.#finish && files.get(this.#draftId)) || [];
  }

  #setFiles(entries, draftId = this.#draftId) {
    files.set(draftId, entries);
    this.#drawFiles();
  }

  #draw() {
    const marks = [
      ...MARKS.map(([name, label, mark, letter]) => iconButton(name, label, () => this.#wrap(mark), { title: letter ? `${label} (Ctrl+${letter.toUpperCase()})` : label })),
      iconButton("codeblock", "Code block", () => this.#wrap("```\n", "\n```")),
      iconButton("quote", "Quote", () => this.#prefix("> ")),
      iconButton("list", "List", () => this.#prefix("- ")),
      iconButton("link", "Link", () => this.#link()),
    ];
    const emoji = iconButton("emoji", "Emoji", ({ currentTarget }) => openEmojiPicker(currentTarget, (each) => this.insert(each)));
    const end = this.#finish
      ? [h("button", { onclick: () => this.#finish(null) }, "Cancel"), h("button", { class: "primary", onclick: () => this.#submit() }, "Save")]
      : [iconButton("attach", "Attach files", () => this.#picker.click()), this.#send];
    const formatting = h("div", { class: "marks", role: "toolbar", "aria-label": "Formatting" }, marks);
    const bar = h("div", { class: "composer-bar" }, formatting, emoji, h("span", { class: "grow" }), this.#count, end);
    this.replaceChildren(this.#completion.element, h("div", { class: "composer-box" }, this.#list, this.#input, bar), this.#picker);
    if (this.#threadId) this.append(h("label", { class: "broadcast" }, this.#broadcast, " Also send to the conversation"));
    this.#drawFiles();
    this.#grow();
  }

  // --- typing -------------------------------------------------------------------------------

  #typed() {
    this.#grow();
    this.#completion.refresh();
    if (this.#finish) return;
    drafts.write(this.#draftId, this.#input.value.slice(0, 2 * BODY_CHARS_MAX));
    if (!this.#input.value || Date.now() - this.#typedAt < TYPING_EVERY_MS) return;
    this.#typedAt = Date.now();
    sync.typing(this.#conversation.conversation_id, this.#threadId);
  }

  #grow() {
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
    const length = this.#input.value.length > COUNT_FROM ? codePoints(this.#input.value) : 0;
    this.#count.textContent = length > COUNT_FROM ? `${(BODY_CHARS_MAX - length).toLocaleString("en")} left` : "";
    this.#count.classList.toggle("over", length > BODY_CHARS_MAX);
    this.#ready();
  }

  #ready() {
    const uploading = this.#files.some((each) => !each.view && !each.error);
    const ready = this.#files.some((each) => each.view);
    this.#send.disabled = uploading || (!this.#input.value.trim() && !ready) || codePoints(this.#input.value) > BODY_CHARS_MAX;
  }

  #key(event) {
    if (event.isComposing || this.#completion.key(event)) return;
    const mark = (event.ctrlKey || event.metaKey) && !event.shiftKey && MARKS.find(([, , , letter]) => letter === event.key.toLowerCase());
    if (mark) {
      event.preventDefault();
      this.#wrap(mark[2]);
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "ArrowUp" && !this.#input.value && !this.#finish) {
      event.preventDefault();
      this.dispatchEvent(new Event("edit-last", { bubbles: true }));
    } else if (event.key === "Escape" && this.#finish) {
      event.stopPropagation();
      this.#finish(null);
    }
  }

  /** Put marks around what is selected, or take them away. */
  #wrap(before, after = before) {
    const { selectionStart: start, selectionEnd: end, value } = this.#input;
    const inside = value.slice(start, end);
    const wrapped = value.slice(start - before.length, start) === before && value.slice(end, end + after.length) === after;
    this.#input.focus();
    if (wrapped) this.#input.setRangeText(inside, start - before.length, end + after.length, "select");
    else {
      this.#input.setRangeText(before + inside + after, start, end, "end");
      this.#input.setSelectionRange(start + before.length, start + before.length + inside.length);
    }
    this.#typed();
  }

  #prefix(mark) {
    const { selectionStart, selectionEnd, value } = this.#input;
    const start = value.lastIndexOf("\n", selectionStart - 1) + 1;
    this.#input.focus();
    this.#input.setRangeText(value.slice(start, selectionEnd).replace(/^/gm, mark), start, selectionEnd, "end");
    this.#typed();
  }

  #link() {
    const { selectionStart: start, selectionEnd: end, value } = this.#input;
    const text = value.slice(start, end) || "text";
    this.#input.focus();
    this.#input.setRangeText(`[${text}](https://)`, start, end, "end");
    const caret = start + text.length + 11;
    this.#input.setSelectionRange(caret, caret);
    this.#typed();
  }

  // --- files --------------------------------------------------------------------------------

  #choose() {
    this.addFiles(this.#picker.files);
    this.#picker.value = "";
  }

  addFiles(added) {
    const room = FILES_MAX - this.#files.length;
    if (added.length > room) toast(`A message holds up to ${FILES_MAX} files.`, { kind: "error" });
    for (const file of [...added].slice(0, room)) this.#upload({ file, view: null, ratio: 0, error: null, abort: new AbortController() });
    this.#input.focus();
  }

  async #upload(entry) {
    const draftId = this.#draftId;
    this.#setFiles([...this.#files, entry]);
    const progress = (ratio) => {
      entry.ratio = ratio;
      if (entry.meter) entry.meter.value = ratio;
    };
    try {
      entry.view = await upload(this.#conversation.conversation_id, entry.file, progress, entry.abort.signal);
    } catch (error) {
      entry.error = error.message;
      if (error.code === "cancelled") this.#setFiles(files.get(draftId).filter((each) => each !== entry), draftId);
    }
    this.#drawFiles();
  }

  #drawFiles() {
    const remove = (entry) => {
      entry.abort.abort();
      this.#setFiles(this.#files.filter((each) => each !== entry));
    };
    this.#list.hidden = !this.#files.length;
    this.#list.replaceChildren(
      ...this.#files.map((entry) => {
        const { file, view, error } = entry;
        entry.meter = !view && !error && h("progress", { max: "1", value: entry.ratio, "aria-label": `Sending ${file.name}` });
        return h(
          "li",
          { class: error ? "upload failed" : "upload", "data-state": error ? "failed" : view ? "done" : "uploading" },
          icon("file"),
          twoLines(file.name, [error ?? formatSize(file.size), entry.meter].filter(Boolean)),
          iconButton("close", view || error ? `Remove ${file.name}` : `Cancel ${file.name}`, () => remove(entry)),
        );
      }),
    );
    this.#ready();
  }

  // --- sending --------------------------------------------------------------------------------

  #submit() {
    const body = this.#input.value.trim();
    if (this.#finish) {
      if (codePoints(body) <= BODY_CHARS_MAX) this.#finish(body);
      return;
    }
    this.#ready();
    if (this.#send.disabled) return;
    const file_ids = this.#files.filter((each) => each.view).map((each) => each.view.file_id);
    const broadcast = Boolean(this.#threadId) && this.#broadcast.checked;
    outbox.add({ conversation_id: this.#conversation.conversation_id, body, thread_id: this.#threadId, broadcast, file_ids });
    this.#setFiles([]);
    this.#broadcast.checked = false;
    this.#input.value = "";
    this.#typedAt = 0;
    drafts.write(this.#draftId, "");
    this.#completion.close();
    this.#grow();
    this.dispatchEvent(new Event("sent", { bubbles: true }));
    attempt(async () => this.#input.focus());
  }
}

customElements.define("nm-composer", Composer);
