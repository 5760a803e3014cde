// Elements are made here. Text only ever becomes a text node: no name from a file is read as markup.

// element("td", {class: "n", onclick: act}, "text", other) - attributes that are null are left out.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function button(text, act, attributes = {}) {
  return element("button", { type: "button", onclick: act, ...attributes }, text);
}

let lastId = 0;

// A label and what it is for.
function labelled(text, input) {
  lastId += 1;
  input.id = `field-${lastId}`;
  return element("span", { class: "field" }, element("label", { for: input.id }, text), " ", input);
}

// The data that stands in an element.
function dataIn(parent) {
  return JSON.parse(parent.querySelector('script[type="application/json"]').textContent);
}

// Calls act once nothing has called for so many milliseconds.
function settled(act, delay) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, delay);
  };
}
