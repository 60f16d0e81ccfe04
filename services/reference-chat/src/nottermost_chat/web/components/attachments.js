/** Files of a message: images inline with their real size, everything else as a card. */

import { h, icon, iconButton, twoLines } from "../dom.js";
import { fileOf, localUrl } from "../files.js";
import { formatSize } from "../time.js";
import { openDialog } from "./dialog.js";

const WIDTH_MAX = 400;
const HEIGHT_MAX = 320;

export function attachments(fileIds) {
  return h("div", { class: "attachments" }, fileIds.map((id) => attachment(fileOf(id), fileIds)));
}

/** A stamp of what `attachments` would show. */
export const attachmentsStamp = (fileIds) => fileIds.map((id) => fileOf(id)?.url ?? "-").join();

function attachment(file, fileIds) {
  if (!file) return h("div", { class: "file-card loading" }, icon("file"), h("span", { class: "dim" }, "File"));
  if (file.inline && file.url) return picture(file, fileIds);
  const external = !file.url && file.external_url;
  const safe = !external || /^https?:\/\//i.test(file.external_url);
  const kind = (file.name.split(".").length > 1 ? file.name.split(".").at(-1) : "file").slice(0, 5).toUpperCase();
  const about = external ? "Stored elsewhere" : file.url ? `${formatSize(file.size)}` : "Not available";
  const content = [h("span", { class: "file-kind" }, kind), twoLines(file.name, about), icon(external ? "link" : "download")];
  const label = external ? `Open ${file.name}` : `Download ${file.name}`;
  if ((!file.url && !external) || !safe) return h("div", { class: "file-card" }, content.slice(0, 2));
  return external
    ? h("a", { class: "file-card", href: file.external_url, target: "_blank", rel: "noopener noreferrer nofollow", "aria-label": label }, content)
    : h("a", { class: "file-card", href: localUrl(file.url), download: file.name, "aria-label": label }, content);
}

/** An image with its place reserved, so that nothing moves when it arrives. GIFs play, so they are shown themselves. */
function picture(file, fileIds) {
  const width = file.width || WIDTH_MAX;
  const height = file.height || HEIGHT_MAX;
  const scale = Math.min(1, WIDTH_MAX / width, HEIGHT_MAX / height);
  const source = file.content_type === "image/gif" || !file.thumbnail_url ? file.url : file.thumbnail_url;
  const image = h("img", {
    src: localUrl(source),
    alt: file.name,
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
    loading: "lazy",
    decoding: "async",
  });
  image.style.aspectRatio = `${width} / ${height}`;
  return h("button", { class: "picture", "aria-label": `Open image ${file.name}`, onclick: () => openLightbox(file, fileIds) }, image);
}

/** The image as large as the window allows; arrow keys go to the message's other images. */
function openLightbox(first, fileIds) {
  const images = fileIds.map(fileOf).filter((file) => file?.inline && file.url);
  let at = images.indexOf(first);
  const body = h("div", { class: "lightbox-stage" });
  const show = (step) => {
    at = (at + step + images.length) % images.length;
    const file = images[at];
    body.replaceChildren(
      h("img", { src: localUrl(file.url), alt: file.name, width: file.width, height: file.height }),
      h(
        "p",
        { class: "lightbox-caption" },
        images.length > 1 && iconButton("back", "Previous image", () => show(-1)),
        h("span", { dir: "auto" }, `${file.name} · ${file.width && file.height ? `${file.width} × ${file.height} · ` : ""}${formatSize(file.size)}`),
        images.length > 1 && iconButton("back", "Next image", () => show(1), { class: "icon-button flip" }),
        h("a", { href: localUrl(file.url), download: file.name, class: "button" }, icon("download"), "Download"),
      ),
    );
  };
  const dialog = openDialog(first.name, body, { className: "lightbox" });
  dialog.addEventListener("keydown", ({ key }) => {
    if (key === "ArrowRight") show(1);
    if (key === "ArrowLeft") show(-1);
  });
  show(0);
}
