// The console's only script. Without it every page still works by forms; with
// it there are keys, a clock, a heartbeat and a picture shown in place.
(() => {
  "use strict";
  const REST = 400; // ms after a case opens in which no key decides
  const BEAT = 60_000; // between heartbeats
  const AWAY = 5 * 60_000; // without a touch of key or pointer: no more heartbeats
  const opened = performance.now();
  let moved = opened;
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    addEventListener(kind, () => { moved = performance.now(); }, { passive: true });
  }
  const $ = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const post = (path, fields, accept = "*/*") => fetch(path, {
    method: "POST", credentials: "same-origin", cache: "no-store", redirect: "error",
    headers: { "X-Form-Token": document.body.dataset.form, Accept: accept }, body: new URLSearchParams(fields),
  });

  // A second press of a button sends nothing twice.
  addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.target === "_blank" || event.target.method === "dialog") return;
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "1";
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    if ($("[data-case]")) location.reload(); // content does not come back out of the browser's memory
    all("form").forEach((form) => delete form.dataset.sent);
  });

  // The clock counts by this machine's steps from what the server said.
  const clock = $("[data-clock]");
  if (clock) {
    const due = Number(clock.dataset.clock), time = $("[data-time]", clock), say = $("[data-say]", clock), what = $(".what", clock);
    let said = null;
    const two = (n) => String(n).padStart(2, "0");
    const tick = () => {
      const left = Math.round(due - (performance.now() - opened) / 1000), n = Math.abs(left);
      const h = Math.floor(n / 3600), m = Math.floor(n / 60) % 60;
      time.textContent = h > 0 ? `${h}:${two(m)}:${two(n % 60)}` : `${m}:${two(n % 60)}`;
      const late = left < 0;
      if (late && !clock.classList.contains("late")) { clock.classList.add("late"); what.textContent = what.dataset.late; }
      // spoken at the start, every five minutes before and after, and each of the last five
      const minutes = Math.floor(n / 60), words = (late ? say.dataset.late : say.dataset.minutes).replace("%d", minutes);
      if (words !== said && (said === null || minutes % 5 === 0 || (!late && minutes < 5))) say.textContent = said = words;
    };
    tick();
    setInterval(tick, 1000);
  }

  // The offer to undo goes when its time is over.
  const undo = $("[data-undo]");
  if (undo) {
    const seconds = Number(undo.dataset.undo);
    const timer = setInterval(() => {
      const left = Math.ceil(seconds - (performance.now() - opened) / 1000);
      $("[data-left]", undo).textContent = Math.max(left, 0);
      if (left <= 0) { clearInterval(timer); undo.remove(); }
    }, 250);
    history.replaceState(null, "", location.pathname); // a reload does not offer it again
  }

  const desk = $(".case.mine");
  const decide = $("#decide");

  // What the choice of an action means for the rest of the form.
  const tell = $("[data-tell]");
  const chosen = (name) => (decide ? $(`input[name="${name}"]:checked`, decide) : null);
  const settle = () => {
    const action = chosen("action");
    const quiet = action !== null && action.value === "allow";
    if (tell) {
      tell.hidden = quiet;
      all("input", tell).forEach((input) => { input.disabled = quiet; input.required = !quiet; });
    }
    const ready = action !== null && (!tell || quiet || chosen("tell") !== null);
    const go = $("[data-go]");
    if (go) go.disabled = !ready || performance.now() - opened < REST;
  };
  if (decide) {
    let touched = false;
    all('.labels > .check input', decide).forEach((box) => box.addEventListener("change", () => { touched = true; }));
    decide.addEventListener("change", (event) => {
      // allow means that the labels were wrong, unless somebody says otherwise
      if (event.target.name === "action" && !touched) {
        all('.labels > .check input', decide).forEach((box) => { box.checked = event.target.value !== "allow"; });
      }
      settle();
    });
    decide.addEventListener("submit", (event) => {
      if (performance.now() - opened < REST) { event.preventDefault(); event.stopPropagation(); }
    }, true);
    settle();
    setTimeout(settle, REST + 20);
  }

  // A button that waits for the server is disabled, and so loses the focus. It
  // gets it back only if it had it and nobody has moved on since.
  const waiting = (button) => {
    const had = document.activeElement === button;
    button.disabled = true;
    return (next) => {
      button.disabled = false;
      if (had && [null, document.body, button].includes(document.activeElement)) next.focus();
    };
  };

  // The plain picture: the server writes its audit line, then sends it.
  const show = $("[data-show]");
  if (show) {
    const figure = $("[data-picture]"), button = $("button", show), words = $("button span", show), refused = $("[data-refused]", show);
    let plain = null;
    const put = (shown) => {
      all("img, .blank", figure).forEach((one) => { one.hidden = one === plain ? !shown : shown; });
      words.textContent = shown ? button.dataset.shown : button.dataset.hidden;
      button.setAttribute("aria-pressed", String(shown));
    };
    button.setAttribute("aria-pressed", "false");
    show.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (plain) { put(plain.hidden); return; }
      const done = waiting(button);
      refused.hidden = true;
      try {
        const answer = await post(show.action, { token: $('input[name="token"]', show).value });
        if (!answer.ok) throw new Error(String(answer.status));
        plain = document.createElement("img");
        plain.alt = figure.dataset.picture;
        plain.className = "plain";
        plain.src = URL.createObjectURL(await answer.blob());
        figure.append(plain);
        put(true);
      } catch {
        refused.hidden = false;
      } finally {
        done(button);
      }
    });
  }

  // The sound: the server writes its audit line, then sends it. It is mute at
  // first and plays only when somebody starts it.
  const listen = $("[data-listen]");
  if (listen) {
    const button = $("button", listen), refused = $("[data-refused]", listen), place = $("[data-sound]");
    listen.addEventListener("submit", async (event) => {
      event.preventDefault();
      const done = waiting(button);
      refused.hidden = true;
      try {
        const answer = await post(listen.action, { token: $('input[name="token"]', listen).value }, "audio/wav");
        if (!answer.ok) throw new Error(String(answer.status));
        const player = document.createElement("audio");
        player.controls = player.muted = player.defaultMuted = player.disableRemotePlayback = true;
        player.setAttribute("controlslist", "nodownload");
        player.setAttribute("aria-label", place.dataset.sound);
        player.src = URL.createObjectURL(await answer.blob());
        place.prepend(player);
        place.hidden = false;
        listen.hidden = true;
        done(player);
      } catch {
        refused.hidden = false;
        done(button);
      }
    });
  }
  const play = () => {
    const player = $("[data-sound] audio");
    if (!player) return press("[data-listen] button");
    if (player.paused) player.play();
    else player.pause();
    return true;
  };

  // The heartbeat keeps the lease while somebody is there. When the case is
  // lost, its content goes.
  if (desk) {
    const lost = () => {
      desk.remove();
      if (undo) undo.remove();
      $("[data-lost]").hidden = false;
      $("[data-lost] a").focus();
      clearInterval(timer);
    };
    let until = opened + Number(desk.dataset.lease) * 1000;
    const beat = async () => {
      const now = performance.now();
      if (now > until) { lost(); return; }
      if (now - moved > AWAY) return;
      try {
        const answer = await post(`/console/case/${desk.dataset.case}/heartbeat`, { token: desk.dataset.token });
        if (answer.ok) until = performance.now() + (await answer.json()).left * 1000;
        else if (answer.status < 500) lost();
      } catch { /* the network may come back before the lease is over */ }
    };
    const timer = setInterval(beat, BEAT);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) beat(); });
  }

  // Keys. None while somebody writes, holds a modifier or composes a word.
  const help = $("#help");
  const writing = (target) => target.isContentEditable || target.matches("textarea, select, input:not([type=radio], [type=checkbox])");
  const menu = () => $(".panel details[data-menu][open]");
  const toggle = (name) => {
    const one = $(`details[data-menu="${name}"]`);
    if (!one) return false;
    const open = !one.open;
    all("details[data-menu]").forEach((other) => { other.open = other === one && open; });
    if (open) $("button", one).focus();
    return true;
  };
  const press = (query) => {
    const one = $(query);
    if (!one || one.disabled) return false;
    one.click();
    return true;
  };
  const pick = (key) => {
    const input = $(`#decide input[data-key="${key}"]`);
    if (!input || input.disabled) return false;
    input.click();
    input.focus({ preventScroll: true });
    return true;
  };
  const onKey = (event) => {
    const key = event.key.toLowerCase();
    if (key === "escape" && menu()) { const one = menu(); one.open = false; $("summary", one).focus(); return true; }
    if (key === "escape" && writing(event.target)) { event.target.blur(); return true; }
    if (writing(event.target)) return false;
    if (desk && !document.contains(desk)) return false; // the case is lost: every key is the browser's again
    if (key === "?" && help) { help.showModal(); return true; }
    if (key === "u") return press("#undo button");
    if (!desk) return key === "n" ? press("[data-next] button") : false;
    if (key === "v") return press("[data-show] button");
    if (key === "l") return play();
    if (performance.now() - opened < REST) return /^[1-9senrg]$/.test(key) || key === "enter";
    if (/^[1-9]$/.test(key)) {
      if (menu()) { const one = all("button", menu())[Number(key) - 1]; if (one) one.click(); return Boolean(one); }
      return pick(key);
    }
    if (key === "g" || key === "n") return pick(key);
    if (key === "s" || key === "e") return toggle(key);
    if (key === "enter" && !event.target.closest("a, button, summary, dialog, audio")) return press("[data-go]") || true;
    return false;
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (help && help.open) return;
    if (onKey(event)) event.preventDefault();
  });
  all("[data-help]").forEach((button) => button.addEventListener("click", () => help.showModal()));
})();
