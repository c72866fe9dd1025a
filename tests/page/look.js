// What a person sees of the page. Loaded by test_page.py; the page itself has no script.
(() => {
  const visible = (element) => element.getClientRects().length > 0 && element.checkVisibility();
  const channels = (color) => (color.match(/[\d.]+/g) || []).map(Number);
  const luminance = (color) => {
    const [r, g, b] = channels(color).map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opaque = (color) => color && color !== "none" && channels(color).length >= 3 && (channels(color)[3] ?? 1) > 0.99;
  // In SVG nothing contains what lies on it: the paper is what was drawn before, where the text is.
  const behind = (element) => {
    const box = element.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    if (element.namespaceURI.endsWith("svg")) {
      const rects = [...element.closest("svg").querySelectorAll("rect")].filter((rect) => {
        const place = rect.getBoundingClientRect();
        const before = rect.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING;
        return before && place.left <= x && x <= place.right && place.top <= y && y <= place.bottom;
      });
      const painted = rects.map((rect) => getComputedStyle(rect).fill).filter(opaque);
      if (painted.length) return painted.at(-1);
    }
    for (let parent = element; parent; parent = parent.parentElement) {
      const color = getComputedStyle(parent).backgroundColor;
      if (opaque(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (walker.currentNode.data.trim() && visible(element) && element.tagName !== "title") {
        found.push([walker.currentNode.data.trim(), element]);
      }
    }
    return found;
  };
  return {
    contrasts: () => texts().map(([text, element]) => {
      const style = getComputedStyle(element);
      const ink = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
      const [high, low] = [luminance(ink), luminance(behind(element))].sort((a, b) => b - a);
      return { text, contrast: (high + 0.05) / (low + 0.05) };
    }),
    sizes: () => texts().map(([text, element]) => {
      const scale = element.getScreenCTM ? element.getScreenCTM().a : 1;
      return { text, pixels: parseFloat(getComputedStyle(element).fontSize) * scale };
    }),
    cutOff: () => texts().filter(([, element]) => {
      const box = element.getBoundingClientRect();
      const scrolled = element.closest(".scroll, nav ul, .skip, small");
      return !scrolled && (box.right > innerWidth + 0.5 || box.left < -0.5);
    }).map(([text]) => text),
    collisions: () => [...document.querySelectorAll("#picture .body > svg")].filter(visible).flatMap((svg) => {
      const words = [...svg.querySelectorAll("text")];
      return words.flatMap((one, number) => words.slice(number + 1).filter((other) => {
        const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        return wide > 1 && high > 3;
      }).map((other) => `${one.textContent} / ${other.textContent}`));
    }),
    focusable: () => [...document.querySelectorAll("a, summary, [tabindex='0']")].filter(visible).map((element) => {
      element.dataset.number ??= String(document.querySelectorAll("[data-number]").length);
      return element.dataset.number;
    }),
    focused: () => {
      const element = document.activeElement;
      const ringed = [element, ...element.querySelectorAll("rect")].some((part) => {
        const style = getComputedStyle(part);
        return parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== "none" || parseFloat(style.strokeWidth) >= 2.5;
      });
      const box = element.getBoundingClientRect();
      const seen = box.bottom > 0 && box.top < innerHeight;
      return { number: element.dataset?.number ?? null, ringed, seen, name: element.tagName };
    },
  };
})()
