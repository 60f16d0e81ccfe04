/**
 * Message text to DOM nodes: bold, italic, strike, code, quotes, lists, links, mentions, emoji.
 *
 * Only nodes are made, never HTML. Time grows linearly with the text: a delimiter without an
 * end is looked for once, nesting has a limit.
 */

import { emojiNamed } from "./emoji.js";
import { h } from "./dom.js";

const DEPTH_MAX = 6;
const STEPS_MAX = 20_000; // looks for the end of an emphasis, all in all: bounds what a hostile text can cost
const SAFE_LINK = /^(?:https?:\/\/|mailto:)/i;
const INLINE = /\\([\\`*_~[\]<>#@:!-])|(`+)|(\*{1,3}|__|~~|_|~)|\[|(?:https?:\/\/|mailto:)[^\s<>"`…]+|<(?:https?:\/\/|mailto:)[^\s<>]+>|([@#])([\p{L}\p{N}][\p{L}\p{N}_.-]*)|:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):/giu;
/** One star is bold, as where most imported messages were written; what two stars and an underscore mean all agree on. */
const TAGS = { "**": "strong", __: "strong", "*": "strong", "***": "strong", _: "em", "~~": "s", "~": "s" };
const WORD = /[\p{L}\p{N}_]/u;
const LIST_ITEM = /^(\s{0,6})(?:[-*•]|(\d{1,9})[.)])\s+(.*)$/;
const EMOJI_ONLY = /^(?:(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\p{Regional_Indicator}|[0-9#*]\u20e3|\u200d|\ufe0f|\u20e3)+\s*){1,8}$/u;

/**
 * @param {string} text
 * @param {{mention?: Find, channel?: Find}} context
 *   Find: (name: string) => {label: string, me?: boolean, userId?: string, href?: string} | null
 * @returns {DocumentFragment}
 */
export function renderMarkup(text, context = {}) {
  const fragment = document.createDocumentFragment();
  if (isEmojiOnly(text)) {
    fragment.append(h("p", { class: "jumbo" }, inline(text.trim(), context, 0)));
    return fragment;
  }
  fragment.append(...blocks(text.split(/\r?\n/), context, 0));
  return fragment;
}

function isEmojiOnly(text) {
  if (text.length > 200) return false;
  const shown = text.trim().replace(/:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):/g, (all, code) => emojiNamed(code) ?? all);
  return EMOJI_ONLY.test(shown) && !/^[\d\s#*]+$/.test(shown);
}

// --- blocks -----------------------------------------------------------------------------------

function blocks(lines, context, depth) {
  const out = [];
  let paragraph = [];
  const flush = () => {
    while (paragraph.length && !paragraph[0].trim()) paragraph.shift();
    while (paragraph.length && !paragraph.at(-1).trim()) paragraph.pop();
    if (paragraph.length) out.push(h("p", { dir: "auto" }, withBreaks(paragraph, context)));
    paragraph = [];
  };
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    const fence = /^\s{0,3}(`{3,}|~{3,})\s*([\w+#.-]*)\s*(.*)$/.exec(line);
    if (fence && !fence[3].includes(fence[1][0])) {
      flush();
      const code = fence[3] ? [`${fence[2]} ${fence[3]}`.trim()] : [];
      for (at++; at < lines.length && !lines[at].trimEnd().endsWith(fence[1]); at++) code.push(lines[at]);
      const last = lines[at]?.trimEnd().slice(0, -fence[1].length);
      if (last?.trim()) code.push(last);
      at++;
      out.push(h("pre", { tabindex: "0", "data-language": fence[3] ? null : fence[2] || null }, h("code", {}, code.join("\n"))));
    } else if (line.startsWith(">") && depth < DEPTH_MAX) {
      flush();
      const quoted = [];
      for (; at < lines.length && lines[at].startsWith(">"); at++) quoted.push(lines[at].replace(/^> ?/, ""));
      out.push(h("blockquote", {}, blocks(quoted, context, depth + 1)));
    } else if (LIST_ITEM.test(line)) {
      flush();
      const items = [];
      for (let match; at < lines.length && (match = LIST_ITEM.exec(lines[at])); at++) {
        const sameList = !items.length || match[1].length > items[0][1].length + 1 || !match[2] === !items[0][2];
        if (!sameList) break;
        items.push(match);
      }
      out.push(list(items, context));
    } else {
      paragraph.push(line);
      at++;
      if (!line.trim()) flush();
    }
  }
  flush();
  return out;
}

/** Items indented deeper than the first belong to the item before them. */
function list(items, context) {
  const indent = items[0][1].length;
  const ordered = items[0][2] !== undefined;
  const element = h(ordered ? "ol" : "ul", { start: ordered && items[0][2] !== "1" ? items[0][2] : null });
  for (let at = 0; at < items.length; ) {
    const entry = h("li", { dir: "auto" }, inline(items[at++][3], context, 0));
    const nested = [];
    while (at < items.length && items[at][1].length > indent + 1) nested.push(items[at++]);
    if (nested.length) entry.append(list(nested, context));
    element.append(entry);
  }
  return element;
}

function withBreaks(lines, context) {
  const nodes = inline(lines.join("\n"), context, 0);
  return nodes.flatMap((node) => (typeof node === "string" ? breakLines(node) : [node]));
}

const breakLines = (text) => text.split("\n").flatMap((part, at) => (at ? [h("br"), part] : [part])).filter((part) => part !== "");

// --- inside a line ------------------------------------------------------------------------------

function inline(text, context, depth) {
  const out = [];
  const missing = new Set(); // delimiters that do not occur again: found out once
  let plain = 0;
  const pattern = new RegExp(INLINE);
  for (let match; (match = pattern.exec(text)); ) {
    const [found, escaped, ticks, delimiter, sign, name, code] = match;
    const start = match.index;
    let node = null;
    let end = start + found.length;
    if (escaped) node = escaped;
    else if (ticks) {
      const close = missing.has(ticks) ? -1 : text.indexOf(ticks, end);
      if (close < 0) missing.add(ticks);
      else [node, end] = [h("code", {}, text.slice(end, close).trim() || text.slice(end, close)), close + ticks.length];
    } else if (delimiter) {
      const close = depth < DEPTH_MAX && !missing.has(delimiter) ? closing(text, delimiter, start, missing) : -1;
      if (close > 0) [node, end] = [h(TAGS[delimiter], {}, inline(text.slice(end, close), context, depth + 1)), close + delimiter.length];
    } else if (found === "[") {
      const target = /^\[([^\][\n]{1,500})\]\(\s*<?([^\s()<>]{1,2000}(?:\([^\s()<>]*\)[^\s()<>]*)*)>?\s*\)/.exec(text.slice(start, start + 2600));
      if (target && SAFE_LINK.test(target[2])) [node, end] = [link(target[2], inline(target[1], {}, DEPTH_MAX)), start + target[0].length];
    } else if (name !== undefined) {
      const mention = WORD.test(text[start - 1] ?? "") ? null : findMention(name, sign === "@" ? context.mention : context.channel);
      if (mention) [node, end] = [mention.node, start + 1 + mention.length];
    } else if (code !== undefined) node = emojiNamed(code.toLowerCase());
    else {
      const url = found.startsWith("<") ? found.slice(1, -1) : trimUrl(found);
      if (!found.startsWith("<")) end = start + url.length;
      node = text.slice(end) === "…" ? url : link(url, [url]); // where a preview was cut, half an address leads nowhere
    }
    if (node === null) {
      if (name !== undefined) pattern.lastIndex = start + 1;
      continue;
    }
    if (plain < start) out.push(text.slice(plain, start));
    out.push(node);
    plain = pattern.lastIndex = end;
  }
  if (plain < text.length) out.push(text.slice(plain));
  return depth ? out.flatMap((node) => (typeof node === "string" ? breakLines(node) : [node])) : out;
}

/** Where an emphasis that opens at `start` ends, or -1. It opens before and closes after something that is no space. */
function closing(text, delimiter, start, missing) {
  const width = delimiter.length;
  const before = text[start - 1] ?? " ";
  const inWord = delimiter[0] !== "*" ? WORD.test(before) : width === 1 && /[A-Za-z0-9]/.test(before); // 2*3*4, snake_case
  const opens = /\S/.test(text[start + width] ?? " ") && !inWord && text[start + width] !== delimiter[0];
  if (!opens) return -1;
  for (let at = text.indexOf(delimiter, start + width); at >= 0; at = text.indexOf(delimiter, at + width)) {
    const after = text[at + width] ?? " ";
    const fits = /\S/.test(text[at - 1]) && text[at - 1] !== "\\" && (delimiter[0] === "*" || !WORD.test(after));
    if (width === 1 && (after === delimiter || text[at - 1] === delimiter)) at += after === delimiter ? 1 : 0;
    else if (fits && at > start + width) return at;
    missing.steps = (missing.steps ?? 0) + 1;
    if (at - start > 10_000 || missing.steps > STEPS_MAX) return -1; // nobody emphasises that much
  }
  missing.add(delimiter);
  return -1;
}

/** A full stop or a bracket at the end belongs to the sentence around the link. */
function trimUrl(url) {
  let end = url.length;
  for (; end > 0; end--) {
    const last = url[end - 1];
    if (".,;:!?'*_~]}".includes(last)) continue;
    if (last === ")" && url.slice(0, end).split(")").length > url.slice(0, end).split("(").length) continue;
    break;
  }
  return url.slice(0, end);
}

function link(url, content) {
  if (!URL.canParse(url)) return url;
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow", dir: "auto" }, content);
}

/** The longest name that somebody (or a channel) has: "@ann." at the end of a sentence is ann. */
function findMention(name, find = () => null) {
  for (let length = name.length; length > 0; length = /[.-]+$/.test(name.slice(0, length)) ? name.slice(0, length).replace(/[.-]+$/, "").length : 0) {
    const found = find(name.slice(0, length));
    if (!found) continue;
    if (found.href) return { node: h("a", { href: found.href }, `#${found.label}`), length };
    const props = { class: found.me ? "mention me" : "mention", title: found.title ?? null };
    const node = found.userId
      ? h("button", { ...props, "data-user-id": found.userId }, `@${found.label}`)
      : h("span", props, `@${found.label}`);
    return { node, length };
  }
  return null;
}

/** A text as one line without its marks, for previews. */
export function plainText(text) {
  return text
    .replace(/```[\w+#.-]*\n?/g, "")
    .replace(/(^|\s)(\*\*|__|~~|[*_`])(\S(?:[^\n]{0,200}?\S)?)\2(?=$|\W)/g, "$1$3")
    .replace(/\[([^\][\n]{1,500})\]\((?:https?:|mailto:)[^\s()]+\)/g, "$1")
    .replace(/:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):/g, (all, code) => emojiNamed(code) ?? all)
    .replace(/\s+/g, " ")
    .trim();
}
