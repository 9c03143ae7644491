"use strict";
// Names the boxes of select2 by their field: in a table no label stands beside them, and what it
// reads aloud is otherwise the value alone, or nothing.
{
  const nameOf = (select) => {
    const label = select.labels && select.labels[0];
    if (label) return label.textContent.trim();
    const cell = select.closest("td");
    const table = cell && cell.closest("table");
    const heading = table && table.querySelectorAll("thead th")[cell.cellIndex];
    return heading ? heading.textContent.trim() : select.name;
  };

  const nameBoxes = () => {
    for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
      const box = select.nextElementSibling;
      if (!box || box.dataset.named) continue;
      box.dataset.named = "true";
      const name = document.createElement("span");
      name.id = `${select.id}-named`;
      name.hidden = true;
      name.textContent = nameOf(select);
      box.append(name);
      for (const part of box.querySelectorAll("[role=combobox], [role=textbox], [role=searchbox]")) {
        const value = part.getAttribute("aria-labelledby");
        part.setAttribute("aria-labelledby", value ? `${name.id} ${value}` : name.id);
      }
    }
  };

  window.addEventListener("load", () => {
    const $ = window.django && window.django.jQuery;
    if (!$) return;
    $(nameBoxes); // after select2, which waits for the same moment
    document.addEventListener("formset:added", () => setTimeout(nameBoxes));
    $(document).on("select2:open", (event) => {
      const search = document.querySelector(".select2-container--open .select2-search__field");
      if (search) search.setAttribute("aria-label", `Chercher : ${nameOf(event.target)}`);
    });
  });
}
