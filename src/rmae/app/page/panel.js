// The controls around the picture: what they show, and what they ask for.

function makePanel(find, desk) {
  function fill(select, entries, value) {
    const text = JSON.stringify(entries);
    if (select.dataset.entries !== text) {
      select.dataset.entries = text;
      select.replaceChildren(...entries.map(([key, name]) => new Option(name, key)));
    }
    select.value = value === null ? '' : String(value);
  }

  const numbered = (what, count, first) =>
    Array.from({ length: count }, (_, i) => [String(i), what + ' ' + (i + first)]);

  function object(entry, i, seen) {
    const item = document.createElement('li');
    const row = document.createElement('button');
    row.type = 'button';
    row.id = 'rm-object-' + i;
    row.className = 'rm-object';
    row.setAttribute('aria-pressed', String(i === seen.chosen));
    const swatch = document.createElement('i');
    swatch.style.background = desk.app.colours[i];
    const words = document.createElement('span');
    const facts = entry ? entry.facts : ['not marked yet'];
    words.append(Object.assign(document.createElement('b'), { textContent: 'Object ' + (i + 1) }));
    for (const fact of facts) words.append(Object.assign(document.createElement('small'), { textContent: fact }));
    row.append(swatch, words);
    row.addEventListener('click', () => desk.act({ kind: 'choose_object', number: i }));
    item.append(row);
    if (seen.objects.length > 1 || seen.objects[0].length) {
      const remove = document.createElement('button');
      remove.type = 'button';
      remove.id = 'rm-remove-' + i;
      remove.className = 'rm-remove';
      remove.textContent = '\u00d7';
      remove.setAttribute('aria-label', 'Remove object ' + (i + 1));
      remove.addEventListener('click', () => desk.act({ kind: 'remove_object', number: i }));
      item.append(remove);
    }
    return item;
  }

  // Made anew only where something has changed: no press of a button is lost, and what has the focus keeps it.
  function fillObjects(reply, seen) {
    const list = find('rm-objects');
    const facts = seen.objects.map((marks, i) => [marks.length, reply.objects[i] ? reply.objects[i].facts : null]);
    const text = JSON.stringify([seen.chosen, facts]);
    if (list.dataset.entries === text) return;
    list.dataset.entries = text;
    const focused = list.contains(document.activeElement) ? document.activeElement.id : null;
    list.replaceChildren(...seen.objects.map((_, i) => object(reply.objects[i], i, seen)));
    if (focused) (find(focused) || find('rm-new-object')).focus();
  }

  for (const [name, attribute] of [['rm-view', 'view'], ['rm-tool', 'tool'], ['rm-sign', 'sign']]) {
    for (const button of find('rm-bar').querySelectorAll('[data-' + attribute + ']')) {
      button.addEventListener('click', () => {
        if (attribute === 'view') desk.act({ kind: 'show', view: button.dataset.view });
        else desk[attribute] = button.dataset[attribute];
        desk.render();
      });
    }
  }
  const chosen = (id) => (find(id).value === '' ? null : Number(find(id).value));
  find('rm-undo').addEventListener('click', () => desk.act({ kind: 'undo' }));
  find('rm-new-object').addEventListener('click', () => desk.act({ kind: 'new_object' }));
  find('rm-brush').addEventListener('input', () => desk.paint());
  find('rm-compare').addEventListener('change', (event) => desk.act({ kind: 'compare', on: event.target.checked }));
  for (const id of ['rm-layer', 'rm-head']) {
    find(id).addEventListener('change', () =>
      desk.act({ kind: 'attend', layer: chosen('rm-layer'), head: chosen('rm-head') }));
  }
  for (const id of ['rm-source', 'rm-map']) {
    find(id).addEventListener('change', () =>
      desk.act({
        kind: 'show_regions',
        source: chosen('rm-source'),
        label_map: id === 'rm-source' ? null : chosen('rm-map'),
      }));
  }
  for (const wanted of ['cutout', 'labels', 'coco']) {
    find('rm-download-' + wanted).addEventListener('click', () =>
      desk.act({ kind: 'download', wanted, model: Number(find('rm-which').value || 0) }));
  }
  find('rm-message-close').addEventListener('click', () => desk.say(''));

  return function show(reply, seen) {
    const { view } = seen;
    find('rm-desk').dataset.view = view;
    find('rm-desk').dataset.tool = desk.tool;
    find('rm-desk').dataset.sign = desk.sign;
    for (const [attribute, value] of [['view', view], ['tool', desk.tool], ['sign', desk.sign]]) {
      for (const button of find('rm-bar').querySelectorAll('button[data-' + attribute + ']')) {
        button.setAttribute('aria-pressed', String(button.dataset[attribute] === value));
      }
    }
    fillObjects(reply, seen);
    find('rm-undo').disabled = !reply.can_undo && !seen.objects.some((marks) => marks.length);
    find('rm-compare').checked = seen.compare;
    find('rm-which-label').hidden = !seen.compare;
    fill(find('rm-which'), desk.app.models.map((name, i) => [String(i), name]), find('rm-which').value || '0');
    const { attention, regions } = seen;
    fill(find('rm-layer'), numbered('Layer', attention.num_layers, 0), attention.layer);
    fill(find('rm-head'), [['', 'Mean of all'], ...numbered('Head', attention.num_heads, 0)], attention.head);
    fill(find('rm-source'), regions.sources.map((name, i) => [String(i), name]), regions.source);
    fill(find('rm-map'), [['', 'All, small ones on top'], ...numbered('Map', regions.num_maps, 1)], regions.label_map);
    find('rm-map-label').hidden = regions.num_maps < 2;
    find('rm-regions-caption').textContent = regions.caption;
  };
}
