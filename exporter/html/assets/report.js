"use strict";
// A target that a link leads to is opened; on paper, all targets are.
const open = (id) => { const there = document.getElementById(id); if (there instanceof HTMLDetailsElement) there.open = true; };
addEventListener("hashchange", () => open(location.hash.slice(1)));
open(location.hash.slice(1));
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
