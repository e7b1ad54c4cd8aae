// Transformations and field settings, done by @grafana/data. What it would silently ignore is an error here.
const data = require('@grafana/data');
const { lastValueFrom } = require('rxjs');

const PROCESS = {
  unit: data.unitOverrideProcessor,
  min: data.numberOverrideProcessor,
  max: data.numberOverrideProcessor,
  decimals: data.numberOverrideProcessor,
  displayName: data.displayNameOverrideProcessor,
  noValue: data.stringOverrideProcessor,
  thresholds: data.thresholdsOverrideProcessor,
  mappings: data.valueMappingsOverrideProcessor,
  links: data.dataLinksOverrideProcessor,
  color: data.identityOverrideProcessor,
};

// The settings that panels of this kind have in addition to the standard ones, with the defaults of their plugin.
const CUSTOM = {
  stat: {},
  bargauge: {},
  table: {
    align: 'auto',
    cellOptions: { type: 'auto' },
    inspect: false,
    filterable: false,
    width: undefined,
    minWidth: undefined,
    wrapText: false,
    wrapHeaderText: false,
    hideFrom: undefined,
    hidden: undefined, // Grafana before 12; newer ones use hideFrom
  },
  timeseries: {
    drawStyle: 'line',
    lineInterpolation: 'linear',
    lineWidth: 1,
    lineStyle: undefined,
    fillOpacity: 0,
    fillBelowTo: undefined,
    gradientMode: 'none',
    barAlignment: 0,
    showPoints: 'auto',
    pointSize: 5,
    spanNulls: false,
    insertNulls: false,
    stacking: { mode: 'none', group: 'A' },
    axisPlacement: 'auto',
    axisLabel: '',
    axisColorMode: 'text',
    axisBorderShow: false,
    axisCenteredZero: false,
    axisSoftMin: undefined,
    axisSoftMax: undefined,
    scaleDistribution: { type: 'linear' },
    hideFrom: { tooltip: false, viz: false, legend: false },
    thresholdsStyle: { mode: 'off' },
  },
};

function registry(kind) {
  const item = (id, path, process, isCustom) => ({
    id,
    path,
    name: id,
    isCustom,
    process: process ?? data.identityOverrideProcessor,
    shouldApply: () => true,
    settings: {},
    editor: () => null,
    override: () => null,
  });
  const standard = Object.keys(PROCESS).map((id) => item(id, id, PROCESS[id], false));
  const custom = Object.keys(CUSTOM[kind]).map((id) => item(`custom.${id}`, id, undefined, true));
  return new data.FieldConfigOptionsRegistry(() => [...standard, ...custom]);
}

function complete(panel) {
  const preset = CUSTOM[panel.type];
  const { defaults, overrides } = panel.fieldConfig;
  const settings = [
    ...Object.keys(defaults).filter((id) => id !== 'custom'),
    ...Object.keys(defaults.custom ?? {}).map((id) => `custom.${id}`),
    ...overrides.flatMap(({ properties }) => properties.map(({ id }) => id)),
  ];
  const known = new Set([...Object.keys(PROCESS), ...Object.keys(preset).map((id) => `custom.${id}`)]);
  const unknown = settings.filter((id) => !known.has(id));
  if (unknown.length) {
    throw new Error(`field settings ${unknown}`);
  }
  const color = { mode: panel.type === 'timeseries' ? 'palette-classic' : 'thresholds' };
  return { defaults: { color, ...defaults, custom: { ...preset, ...defaults.custom } }, overrides };
}

// Some of them are there under two names.
data.standardTransformersRegistry.setInit(() =>
  [...new Set(Object.values(data.standardTransformers))].map((transformation) => ({
    id: transformation.id,
    name: transformation.name,
    transformation: async () => transformation,
    editor: () => null,
  }))
);

// The panel's frames as its visualization gets them, and the settings with defaults.
exports.prepare = async (panel, frames, theme) => {
  const transformations = panel.transformations ?? [];
  const unknown = transformations.filter(({ id }) => !data.standardTransformersRegistry.getIfExists(id));
  if (unknown.length) {
    throw new Error(`transformations ${unknown.map(({ id }) => id)}`);
  }
  const context = { interpolate: (text) => text };
  const transformed = await lastValueFrom(data.transformDataFrame(transformations, frames, context));
  const fieldConfig = complete(panel);
  const ready = data.applyFieldOverrides({
    data: transformed,
    fieldConfig,
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
    fieldConfigRegistry: registry(panel.type),
  });
  data.cacheFieldDisplayNames(ready); // tables look there only
  return { frames: ready, fieldConfig };
};

exports.kinds = Object.keys(CUSTOM);
