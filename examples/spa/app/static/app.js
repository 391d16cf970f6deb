// The page shows what the API answers. The session is a cookie that scripts can't read, so
// only the API's answers tell the script whether somebody is signed in.

const $ = (id) => document.getElementById(id);

// LoginRequired is the API's 401: there is no session, or it has ended.
class LoginRequired extends Error {
  constructor(url) {
    super("Sign in first.");
    this.url = url;
  }
}

// api sends a request and returns the content of the answer, or throws an error for people.
async function api(method, path, body) {
  let response;
  try {
    response = await fetch(path, { method, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("The app can’t be reached. Please try again in a moment.");
  }
  const json = response.headers.get("Content-Type") === "application/json";
  const answer = json ? await response.json() : {};
  if (response.status === 401) throw new LoginRequired(answer.login_url);
  if (!response.ok) throw new Error(answer.error ?? `That didn’t work (${response.status}).`);
  return answer;
}

// attempt does what a person asked for. If the session has ended, it goes to the sign-in,
// and restores the typed text afterwards.
async function attempt(action) {
  $("status").textContent = "";
  try {
    await action();
  } catch (error) {
    if (!(error instanceof LoginRequired)) {
      $("status").textContent = error.message;
      return;
    }
    sessionStorage.setItem("draft", $("text").value);
    location.assign(error.url);
  }
}

function row(item) {
  const li = document.createElement("li");
  const text = document.createElement("span");
  text.textContent = item.text;
  const button = document.createElement("button");
  button.className = "second";
  button.textContent = "Remove";
  button.setAttribute("aria-label", `Remove ${item.text}`);
  button.addEventListener("click", () => attempt(async () => {
    await api("DELETE", `/api/items/${item.id}`);
    li.remove();
    count();
    $("items").focus(); // the focused button was removed
    $("status").textContent = `Removed ${item.text}.`;
  }));
  li.append(text, button);
  return li;
}

const count = () => { $("empty").hidden = $("items").children.length > 0; };

async function start() {
  let me, items;
  try {
    [me, items] = await Promise.all([api("GET", "/api/me"), api("GET", "/api/items")]);
  } catch (error) {
    if (error instanceof LoginRequired) {
      $("login").href = error.url; // it returns to this page
      $("welcome").hidden = false;
    } else {
      $("status").textContent = error.message;
    }
    return;
  } finally {
    $("loading").hidden = true;
  }
  $("email").textContent = me.email;
  $("items").replaceChildren(...items.map(row));
  count();
  $("text").value = sessionStorage.getItem("draft") ?? "";
  sessionStorage.removeItem("draft");
  $("account").hidden = $("list").hidden = false;
}

$("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value;
  $("text").value = ""; // the next item may be typed before the answer arrives
  $("text").focus();
  attempt(async () => {
    try {
      $("items").append(row(await api("POST", "/api/items", { text })));
    } catch (error) {
      $("text").value ||= text;
      throw error;
    }
    count();
  });
});

$("logout").addEventListener("click", () => attempt(async () => {
  location.assign((await api("POST", "/logout")).logout_url);
}));

// The Back button may show the page in its state from before the sign-out.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

start();
