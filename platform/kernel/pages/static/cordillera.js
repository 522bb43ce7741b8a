// Comfort only: every page works without this file.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const label = button.querySelector("span");
  const before = label.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.closest("figure").querySelector("code").textContent);
    label.textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = before; }, 2000);
  });
}

document.getElementById("error-summary")?.focus();

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

for (const button of document.querySelectorAll("[data-reveals]")) {
  const input = document.getElementById(button.dataset.reveals);
  const show = button.textContent;
  button.hidden = false;
  button.addEventListener("click", () => {
    const hidden = input.type === "password";
    input.type = hidden ? "text" : "password";
    button.textContent = hidden ? button.dataset.hide : show;
    button.setAttribute("aria-pressed", String(hidden));
  });
  input.form.addEventListener("submit", () => { input.type = "password"; });
}

// A double click is one: the second sending would make the browser drop the answer to the first, which may show a secret.
const DOUBLE_CLICK_MS = 1000;
for (const form of document.querySelectorAll('form[method="post"]')) {
  let sentAt = -DOUBLE_CLICK_MS;
  form.addEventListener("submit", (event) => {
    if (event.timeStamp - sentAt < DOUBLE_CLICK_MS) event.preventDefault();
    else sentAt = event.timeStamp;
  });
}
