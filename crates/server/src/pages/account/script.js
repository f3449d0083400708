// Passkeys: the one thing on these pages that a form cannot ask for by itself. A form
// with `data-ceremony` is sent in two halves, with the browser's own dialogue between
// them. What the server says beside it is shown in the form.
"use strict";

for (const form of document.querySelectorAll("form[data-ceremony]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ceremony(form);
  });
}

async function ceremony(form) {
  const button = form.querySelector("button");
  say(form, "");
  if (!window.PublicKeyCredential) {
    say(form, "This browser knows no passkeys. A recovery code works without.");
    return;
  }
  button.disabled = true;
  try {
    const begun = await send(form, form.dataset.begin, Object.fromEntries(new FormData(form)));
    const asked = read(begun.options.publicKey);
    const credential = form.dataset.ceremony === "create"
      ? await navigator.credentials.create({ publicKey: asked })
      : await navigator.credentials.get({ publicKey: asked });
    const finished = { ceremony: begun.ceremony, credential: write(credential) };
    const { next } = await send(form, form.dataset.finish, finished);
    location.assign(next);
  } catch (error) {
    say(form, words(error));
    button.disabled = false;
    button.focus();
  }
}

async function send(form, address, body) {
  const headers = { "content-type": "application/json" };
  if (form.dataset.token) {
    headers["x-form-token"] = form.dataset.token;
  }
  const options = { method: "POST", headers, body: JSON.stringify(body), redirect: "error" };
  const response = await fetch(address, options);
  const answer = await response.json();
  if (!response.ok) {
    throw Object.assign(new Error(answer.title), { said: `${answer.title}. ${answer.detail ?? ""}` });
  }
  return answer;
}

// What was asked, with its binary values as the browser wants them.
function read(asked) {
  const listed = (credentials) => credentials?.map((one) => ({ ...one, id: bytes(one.id) }));
  const options = { ...asked, challenge: bytes(asked.challenge) };
  if (asked.user) {
    options.user = { ...asked.user, id: bytes(asked.user.id) };
  }
  if (asked.excludeCredentials) {
    options.excludeCredentials = listed(asked.excludeCredentials);
  }
  if (asked.allowCredentials) {
    options.allowCredentials = listed(asked.allowCredentials);
  }
  return options;
}

// What the browser gave, with its binary values as the server reads them.
function write(credential) {
  const response = {};
  for (const name of ["attestationObject", "clientDataJSON", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) {
      response[name] = text(credential.response[name]);
    }
  }
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response };
}

function bytes(encoded) {
  const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function text(buffer) {
  const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function words(error) {
  if (error.said) {
    return error.said;
  }
  if (error.name === "InvalidStateError") {
    return "This device has a passkey for your account already.";
  }
  if (error.name === "NotAllowedError" || error.name === "AbortError") {
    return "No passkey was given: it was cancelled, took too long, or none fits. Please try again.";
  }
  return "That did not work. Please try again.";
}

function say(form, what) {
  const place = form.querySelector(".says");
  place.textContent = what;
  place.hidden = what === "";
}
