// Light or dark: as the reader's system says, until a button says otherwise. What is drawn is drawn anew.

const onTheme = [];
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : systemIsDark.matches;
}

// A colour of the page, by its name in base.css.
function pageColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function themeButton() {
  const made = button("", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    remember(document.documentElement.dataset.theme);
    told();
  });
  const told = () => {
    made.textContent = isDark() ? "Light colours" : "Dark colours";
    onTheme.forEach((draw) => draw());
  };
  systemIsDark.addEventListener("change", told);
  printsLight(told);
  document.documentElement.dataset.theme = remembered();
  told();
  return made;
}

// Paper is white: what is drawn is drawn for it, and afterwards as before.
function printsLight(told) {
  const { dataset } = document.documentElement;
  let before = "";
  addEventListener("beforeprint", () => {
    before = dataset.theme;
    dataset.theme = "light";
    told();
  });
  addEventListener("afterprint", () => {
    dataset.theme = before;
    told();
  });
}

// Some browsers let a page from disk keep nothing: then it is asked again.
function remember(theme) {
  try {
    localStorage.setItem("ckptinspect-theme", theme);
  } catch {
    // Nothing is lost but the choice.
  }
}

function remembered() {
  try {
    return localStorage.getItem("ckptinspect-theme") ?? "";
  } catch {
    return "";
  }
}
