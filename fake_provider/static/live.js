// The page is drawn again while a login happens. Without this script it is complete too, and is loaded again by hand.
"use strict";

const part = document.querySelector("[data-live]");
const says = document.querySelector("[data-live-status]");
let stream = null;
let heard = Number(part.dataset.live);
let isReading = false;
let isBehind = false;

function listen() {
  // A browser opens only six connections to one host: a page that nobody sees holds none.
  if (document.hidden || stream) return;
  stream = new EventSource(`/_trace/live?after=${heard}`);
  stream.onopen = () => { says.textContent = "Live: this page follows what happens."; };
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) says.textContent = "Load this page again to see more."; };
  stream.onmessage = (event) => { heard = Number(event.data); read(); };
}

async function read() {
  if (isReading) { isBehind = true; return; }
  isReading = true;
  do {
    isBehind = false;
    try {
      const reply = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (reply.ok) replace(new DOMParser().parseFromString(await reply.text(), "text/html"));
    } catch { /* the provider is gone; the stream finds out by itself */ }
  } while (isBehind);
  isReading = false;
}

function replace(page) {
  const fresh = page.querySelector("[data-live]");
  if (!fresh) return;
  const focused = document.activeElement && part.contains(document.activeElement) ? place(document.activeElement) : null;
  for (const open of part.querySelectorAll("details[open][id]")) {
    const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
    if (same) same.open = true;
  }
  part.replaceChildren(...fresh.childNodes);
  if (focused) document.querySelector(focused)?.focus({ preventScroll: true });
}

function place(element) {
  // A summary has no id: it is found by that of its details.
  if (element.id) return `#${CSS.escape(element.id)}`;
  return element.parentElement?.id ? `#${CSS.escape(element.parentElement.id)} > ${element.localName}` : null;
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { stream?.close(); stream = null; } else { listen(); }
});
listen();
