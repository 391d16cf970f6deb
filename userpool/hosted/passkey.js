(() => {
  "use strict";
  const form = document.getElementById("passkey");
  const button = form.querySelector("button[type=submit]");
  const show = (id, on) => { document.getElementById(id).hidden = !on; };
  if (!window.PublicKeyCredential) {
    show("passkey-unsupported", true);
    return;
  }

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => (list || []).map((c) => ({ ...c, id: bytes(c.id) }));

  const request = JSON.parse(form.dataset.request);
  request.challenge = bytes(request.challenge);
  const create = Boolean(request.user);
  if (create) {
    request.user.id = bytes(request.user.id);
    request.excludeCredentials = known(request.excludeCredentials);
  } else {
    request.allowCredentials = known(request.allowCredentials);
  }

  const answer = (credential) => {
    const r = credential.response;
    const response = { clientDataJSON: text(r.clientDataJSON) };
    if (create) {
      response.attestationObject = text(r.attestationObject);
      response.transports = r.getTransports ? r.getTransports() : [];
    } else {
      response.authenticatorData = text(r.authenticatorData);
      response.signature = text(r.signature);
      if (r.userHandle) response.userHandle = text(r.userHandle);
    }
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      authenticatorAttachment: credential.authenticatorAttachment || undefined, clientExtensionResults: {},
    });
  };

  let ready = false;
  form.addEventListener("submit", async (event) => {
    if (ready || event.submitter !== button) return;
    event.preventDefault();
    button.disabled = true;
    show("passkey-failed", false);
    try {
      const credential = await navigator.credentials[create ? "create" : "get"]({ publicKey: request });
      form.elements.credential.value = answer(credential);
      ready = true;
      form.submit();
    } catch {
      show("passkey-failed", true);
      button.disabled = false;
    }
  });
  button.hidden = false;
})();
