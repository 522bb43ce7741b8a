// Draws the explorer out of the document named by the page, in the page's language and appearance. Signing in with an
// access token is Swagger UI's own.
"use strict";

const place = document.getElementById("api-explorer");
const words = JSON.parse(place.dataset.words);

// The frame around the operations without the document's title, which the page has, and without a second <main>.
const frame = (system) => {
  const React = system.React;
  const part = (name) => React.createElement(system.getComponent(name, true), { key: name });
  const Frame = () => React.createElement("div", { className: "swagger-ui" }, [
    part("SvgAssets"),
    React.createElement("div", { className: "explorer-token", key: "token" }, part("AuthorizeBtnContainer")),
    part("operations"),
    part("Models"),
  ]);
  return { components: { Frame } };
};

// Swagger UI speaks English only: its own words are changed where they stand.
function translateText(text) {
  const said = text.nodeValue.trim();
  const known = words[said];
  if (known && known !== said && !text.parentElement.closest("pre, code, textarea")) {
    text.nodeValue = text.nodeValue.replace(said, known);
  }
}

// Its words, and what a screen reader and a keyboard miss in it.
function mend(root) {
  const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) translateText(text);
  for (const named of root.querySelectorAll?.("[aria-label], [placeholder], [title]") ?? []) {
    for (const attribute of ["aria-label", "placeholder", "title"]) {
      const known = words[named.getAttribute(attribute)];
      if (known) named.setAttribute(attribute, known);
    }
  }
  for (const field of root.querySelectorAll?.(":is(select, textarea):not([aria-label])") ?? []) {
    field.setAttribute("aria-label", field.tagName === "SELECT" ? words.choose : words["Request body"]);
  }
  for (const block of root.querySelectorAll?.("pre.microlight") ?? []) block.tabIndex = 0;
}

const night = window.matchMedia("(prefers-color-scheme: dark)");
function dress() {
  const chosen = document.documentElement.dataset.bsTheme;
  document.documentElement.classList.toggle("dark-mode", chosen ? chosen === "dark" : night.matches);
}
dress();
night.addEventListener("change", dress);

window.addEventListener("DOMContentLoaded", () => {
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "characterData") translateText(change.target);
      for (const added of change.addedNodes) mend(added.nodeType === Node.TEXT_NODE ? added.parentNode : added);
    }
  }).observe(place, { childList: true, characterData: true, subtree: true });
  window.SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    plugins: [frame],
    layout: "Frame",
    deepLinking: false, // its links would lie inside buttons, where a screen reader does not find them
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    persistAuthorization: false,
    validatorUrl: null,
  });
});
