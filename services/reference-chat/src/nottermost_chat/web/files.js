/** Files: links to those that are shown, uploads with progress. */

import { api, ApiError } from "./api.js";

const IDS_A_CALL = 200;
const AHEAD_MS = 120_000; // a link that ends sooner is read again

const known = new Map(); // file_id -> FileView

/** @returns {object | undefined} what is known of a file, without asking */
export const fileOf = (fileId) => known.get(fileId);

export const learnFile = (view) => known.set(view.file_id, view);

/** Read the links of these files, where they are not known or end soon. */
export async function loadFiles(fileIds) {
  const fresh = (view) => view && (!view.expires_at || Date.parse(view.expires_at) - Date.now() > AHEAD_MS);
  const ids = [...new Set(fileIds)].filter((id) => !fresh(known.get(id)));
  for (let at = 0; at < ids.length; at += IDS_A_CALL)
    for (const view of await api.post("/api/files/links", { file_ids: ids.slice(at, at + IDS_A_CALL) })) learnFile(view);
}

/** The link as this page reaches it: the server may know itself by another name. */
export function localUrl(url) {
  const parsed = new URL(url, location.href);
  return parsed.pathname.startsWith("/api/") ? parsed.pathname + parsed.search : parsed.href;
}

/**
 * Upload one file.
 * @param {(ratio: number) => void} onprogress
 * @param {AbortSignal} signal
 * @returns {Promise<object>} its FileView
 */
export async function upload(conversationId, file, onprogress, signal) {
  const name = file.name.slice(-255) || "file";
  const { upload_url } = await api.post("/api/files", { conversation_id: conversationId, name, size: file.size });
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells no upload progress
    request.open("PUT", localUrl(upload_url));
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => onprogress(total ? loaded / total : 0);
    request.onload = () => {
      if (request.status >= 300) return reject(new ApiError(request.response ?? {}, request.status));
      learnFile(request.response);
      return resolve(request.response);
    };
    request.onerror = () => reject(new ApiError({ detail: `“${name}” could not be sent.`, code: "offline" }, 0));
    request.onabort = () => reject(new ApiError({ detail: "Cancelled.", code: "cancelled" }, 0));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
