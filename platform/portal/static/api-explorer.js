// Draws the explorer out of the document named by the page. Signing in with an access token is Swagger UI's own.
window.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("api-explorer");
  window.SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    deepLinking: false, // its links would lie inside buttons, where a screen reader does not find them
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    persistAuthorization: false,
    validatorUrl: null,
  });
});
