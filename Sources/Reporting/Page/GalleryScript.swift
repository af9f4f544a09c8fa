import Foundation
import Images

/// The script of the gallery: it enlarges images and shows the real ones beside them.
///
/// Without it the gallery is complete, only small. The page allows no other script: it names this
/// one by its digest.
enum GalleryScript {
    /// What the page's policy says of the script.
    static var policy: String {
        let digest = Data(SHA256.digest(of: Data(source.utf8)))
        return "script-src 'sha256-\(digest.base64EncodedString())'"
    }

    static let source = """
        "use strict";
        {
          const gallery = document.getElementById("gallery");
          const zoom = document.getElementById("zoom");
          const peek = document.getElementById("peek");
          const [own, other] = zoom.querySelectorAll("figure");
          let opener = null;
          let described = null;
          let timer = 0;

          const line = (text) => {
            const element = document.createElement("p");
            element.textContent = text;
            return element;
          };
          const copied = (image) => {
            const copy = image.cloneNode();
            copy.removeAttribute("id");
            return copy;
          };
          const realOf = (button) => document.getElementById(button.dataset.real);
          const buttonAt = (event) => event.target.closest(".open");
          const fill = (figure, image, texts) => {
            const caption = document.createElement("figcaption");
            caption.append(...texts.filter(Boolean).map(line));
            figure.replaceChildren(copied(image), caption);
          };

          function hide() {
            clearTimeout(timer);
            peek.hidden = true;
            described?.removeAttribute("aria-describedby");
            described = null;
          }

          function hideSoon() {
            clearTimeout(timer);
            timer = setTimeout(hide, 200);
          }

          function show(button) {
            hide();
            if (!button.dataset.note || zoom.open) return;
            const real = realOf(button);
            peek.replaceChildren(...(real ? [copied(real)] : []), line(button.dataset.note));
            peek.hidden = false;
            const place = button.getBoundingClientRect();
            const room = document.documentElement.clientWidth - peek.offsetWidth - 8;
            const fits = place.bottom + peek.offsetHeight <= innerHeight;
            const top = fits ? place.bottom : place.top - peek.offsetHeight;
            peek.style.left = `${Math.max(8, Math.min(place.left, room)) + scrollX}px`;
            peek.style.top = `${top + scrollY}px`;
            described = button;
            button.setAttribute("aria-describedby", "peek");
          }

          function enlarge(button) {
            hide();
            opener = button;
            const image = button.querySelector("img");
            const real = realOf(button);
            const { file, origin, note } = button.dataset;
            zoom.querySelector("h3").textContent = image.alt;
            fill(own, image, [origin, real ? "" : note, file]);
            other.hidden = !real;
            if (real) fill(other, real, [note]);
            zoom.showModal();
          }

          gallery.addEventListener("click", (event) => {
            const button = buttonAt(event);
            if (button) enlarge(button);
          });
          gallery.addEventListener("pointerover", (event) => {
            const button = buttonAt(event);
            if (button && event.pointerType !== "touch") show(button);
          });
          gallery.addEventListener("pointerout", hideSoon);
          gallery.addEventListener("focusin", (event) => {
            const button = buttonAt(event);
            if (button?.matches(":focus-visible")) show(button);
          });
          gallery.addEventListener("focusout", hide);
          peek.addEventListener("pointerover", () => clearTimeout(timer));
          peek.addEventListener("pointerout", hideSoon);
          document.addEventListener("keydown", (event) => {
            if (event.key === "Escape") hide();
          });
          zoom.addEventListener("click", (event) => {
            if (event.target === zoom || event.target.closest("button")) zoom.close();
          });
          zoom.addEventListener("close", () => {
            opener?.focus();
            hide();
          });
          gallery.classList.add("live");
          document.getElementById("gallery-hint").hidden = false;
        }
        """
}
