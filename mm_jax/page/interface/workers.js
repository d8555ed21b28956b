// Start workers, which run scripts of the page: one samples and ranks; in a page that learns another one learns.

import { $, data, weights } from "./dom.js";

export let worker = null; // samples and ranks; without one the page does so in slices

// Starts a worker that calls hear(message); null where the browser refuses. `failed` is called if it refuses later.
export function workerOf(scripts, hear, failed) {
  try {
    const source = new Blob(scripts.map((id) => $(id).textContent), { type: "text/javascript" });
    const made = new Worker(URL.createObjectURL(source));
    made.onmessage = ({ data: message }) => hear(message);
    made.onerror = failed;
    return made;
  } catch {
    return null;
  }
}

// Sends the model that the page shows to its worker.
export function employ(hear, failed) {
  worker ??= workerOf(["engine"], hear, () => {
    worker = null;
    failed();
  });
  worker?.postMessage({ data, weights });
}
