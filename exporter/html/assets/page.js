// What pages do in addition if scripts run. Each page is complete without it.
"use strict";

// Parts of a page that are replaced by those of the same page as it is now: `data-live` and an `id`. What the reader is
// doing stays: focus, scrolled boxes, opened details, and marked text.
const livePage = {
  running: null,

  // Loads the page and replaces its parts. Returns whether that worked; null if another load has taken its place.
  async load(url, { keepMarked = false } = {}) {
    this.running?.abort();
    const own = (this.running = new AbortController());
    try {
      const answer = await fetch(url, { signal: own.signal, headers: { Accept: "text/html" } });
      if (answer.status !== 200 && answer.status !== 400) return false;
      const text = await answer.text();
      if (own.signal.aborted) return null;
      this.replace(new DOMParser().parseFromString(text, "text/html"), keepMarked);
      return true;
    } catch {
      return own.signal.aborted ? null : false;
    } finally {
      if (this.running === own) this.running = null;
    }
  },

  replace(fresh, keepMarked) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(old.id);
      if (!next || next.innerHTML === old.innerHTML || (keepMarked && this.isMarked(old))) continue;
      const restore = this.remember(old);
      old.replaceChildren(...document.importNode(next, true).childNodes);
      restore();
    }
  },

  isMarked(part) {
    const marked = document.getSelection();
    return marked !== null && !marked.isCollapsed && marked.containsNode(part, true);
  },

  remember(part) {
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const find = focused && this.finder(part, focused);
    const opened = [...part.querySelectorAll("details[id][open]")].map((one) => one.id);
    const boxes = [...part.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
    return () => {
      for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
      part.querySelectorAll(".scroll").forEach((one, at) => {
        [one.scrollLeft, one.scrollTop] = boxes[at] ?? [0, 0];
      });
      if (find) find()?.focus({ preventScroll: true });
    };
  },

  // A function that finds this element again among new ones: by its id, or by where it leads and how it is named.
  finder(part, element) {
    if (element.id) return () => document.getElementById(element.id);
    const key = (one) => `${one.tagName} ${one.getAttribute("href")} ${one.textContent}`;
    const alike = () => [...part.querySelectorAll(element.tagName)].filter((one) => key(one) === wanted);
    const wanted = key(element);
    const place = alike().indexOf(element);
    return () => alike()[place];
  },
};

// A form `data-filter` shows its result without a click: texts while they are typed, all else when it is chosen.
function filterAtOnce(form) {
  const wait = 300;
  let timer;
  const show = async (record) => {
    clearTimeout(timer);
    const url = new URL(form.action);
    for (const [name, value] of new FormData(form)) if (value !== "") url.searchParams.append(name, value);
    if (url.href === location.href) return;
    history[record](null, "", url);
    if ((await livePage.load(url)) === false) location.assign(url);
  };
  form.addEventListener("input", (event) => {
    if (event.target.type !== "search") return;
    clearTimeout(timer);
    timer = setTimeout(show, wait, "replaceState");
  });
  form.addEventListener("change", (event) => {
    if (event.target.type !== "search") show("pushState");
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show("pushState");
  });
  addEventListener("popstate", () => location.reload());
}

// `data-refresh` is a number of seconds after which the page is loaded again while it is visible, with a switch.
function refreshRegularly(line) {
  const seconds = Number(line.dataset.refresh);
  const note = document.createElement("span");
  const button = document.createElement("button");
  let isOn = remembered() !== "off";
  let last = Date.now();
  button.type = "button";
  note.className = "on-screen";
  line.append(note, button);

  function remembered(value) {
    try {
      if (value) localStorage.setItem("refresh", value);
      return localStorage.getItem("refresh");
    } catch {
      return null; // storage is turned off
    }
  }
  function label() {
    note.textContent = isOn ? `refreshed every ${seconds} s` : "not refreshed";
    button.textContent = isOn ? "Stop refreshing" : "Refresh";
  }
  async function refresh() {
    if (document.hidden || livePage.running || Date.now() - last < seconds * 1000) return;
    last = Date.now();
    const done = await livePage.load(location.href, { keepMarked: true });
    if (done === false) note.textContent = "could not be refreshed: the exporter did not answer";
    else if (done) label();
  }
  button.addEventListener("click", () => {
    isOn = !isOn;
    remembered(isOn ? "on" : "off");
    label();
    if (isOn) {
      last = 0;
      refresh();
    }
  });
  label();
  setInterval(() => isOn && refresh(), 1000);
  document.addEventListener("visibilitychange", () => isOn && refresh());
}

document.querySelectorAll("form[data-filter]").forEach(filterAtOnce);
document.querySelectorAll("[data-refresh]").forEach(refreshRegularly);
