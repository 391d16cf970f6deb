// The page of an app that runs in the browser. See site in chromium_test.go.

// show shows the claims of the ID token if somebody is signed in, and a button for each action.
export function show(claims, actions) {
  const text = document.createElement('pre');
  const buttons = Object.entries(actions).map(([name, action]) => {
    const button = document.createElement('button');
    button.textContent = name;
    button.onclick = () => action().catch(refuse);
    return button;
  });
  document.querySelector('main').replaceChildren(text, ...buttons);
  say(claims ? JSON.stringify(claims) : 'Nobody is signed in.');
}

export function say(text) {
  document.querySelector('pre').textContent = text;
}

// refuse shows what went wrong.
export function refuse(err) {
  document.querySelector('main').textContent = `Refused: ${err.message}`;
}
