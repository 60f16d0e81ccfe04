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
  const { upload_url, direct } = await api.post("/api/files", { conversation_id: conversationId, name, size: file.size });
  const answer = await put(direct?.url ?? localUrl(upload_url), direct?.headers ?? {}, file, name, onprogress, signal);
  const view = direct ? await api.post(localUrl(upload_url)) : answer;
  learnFile(view);
  return view;
}

/** @returns {Promise<object | null>} the answer, where it is JSON */
function put(url, headers, file, name, onprogress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells no upload progress
    request.open("PUT", url);
    request.responseType = "json";
    for (const [header, value] of Object.entries(headers)) request.setRequestHeader(header, value);
    request.upload.onprogress = ({ loaded, total }) => onprogress(total ? loaded / total : 0);
    request.onload = () => (request.status < 300 ? resolve(request.response) : reject(new ApiError(request.response ?? {}, request.status)));
    request.onerror = () => reject(new ApiError({ detail: `“${name}” could not be sent.`, code: "offline" }, 0));
    request.onabort = () => reject(new ApiError({ detail: "Cancelled.", code: "cancelled" }, 0));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
