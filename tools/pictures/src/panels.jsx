// Panels of each kind, composed from @grafana/ui as Grafana's own plugins (which npm does not have) do it.
const React = require('react');
const data = require('@grafana/data');
const ui = require('@grafana/ui');
const { TableNG } = require('@grafana/ui/unstable');

const asIs = (text) => text;

function NoData({ fieldConfig }) {
  const style = { display: 'flex', alignItems: 'center', justifyContent: 'center', height: '100%', textAlign: 'center' };
  return <div style={style}>{fieldConfig.defaults.noValue ?? 'No data'}</div>;
}

function displayValues({ panel, frames, fieldConfig, theme }) {
  const { reduceOptions } = panel.options;
  return data.getFieldDisplayValues({ fieldConfig, reduceOptions, replaceVariables: asIs, theme, data: frames, timeZone: 'utc' });
}

function Repeated({ drawing, render, ...more }) {
  const { panel, width, height } = drawing;
  return (
    <ui.VizRepeater
      source={drawing.frames}
      getAlignmentFactors={data.getDisplayValueAlignmentFactors}
      getValues={() => displayValues(drawing)}
      renderValue={render}
      renderCounter={0}
      width={width}
      height={height}
      orientation={panel.options.orientation ?? 'auto'}
      {...more}
    />
  );
}

function Stat(drawing) {
  const { options } = drawing.panel;
  const render = ({ value, alignmentFactors, width, height, count }) => (
    <ui.BigValue
      value={value.display}
      count={count}
      sparkline={value.sparkline}
      colorMode={options.colorMode}
      graphMode={options.graphMode}
      justifyMode={options.justifyMode}
      textMode={options.textMode}
      text={options.text}
      alignmentFactors={alignmentFactors}
      wideLayout={options.wideLayout ?? true}
      width={width}
      height={height}
      theme={drawing.theme}
      hasLinks={value.hasLinks}
    />
  );
  return <Repeated drawing={drawing} render={render} />;
}

function Bars(drawing) {
  const { options } = drawing.panel;
  const render = ({ value, alignmentFactors, orientation, width, height, count }) => (
    <ui.BarGauge
      value={count === 1 && !value.field.displayName ? { ...value.display, title: undefined } : value.display}
      width={width}
      height={height}
      orientation={orientation}
      field={value.field}
      text={options.text}
      display={value.view?.getFieldDisplayProcessor(value.colIndex)}
      theme={drawing.theme}
      itemSpacing={10}
      displayMode={options.displayMode}
      alignmentFactors={alignmentFactors}
      showUnfilled={options.showUnfilled}
      valueDisplayMode={options.valueMode}
      namePlacement={options.namePlacement}
    />
  );
  const { minVizWidth, minVizHeight, maxVizHeight = 300 } = options;
  const sizes = { minVizWidth, minVizHeight, maxVizHeight, itemSpacing: 10 };
  return <Repeated drawing={drawing} render={render} {...sizes} />;
}

const LEGEND = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] };

function Graph({ panel, frames, fieldConfig, width, height, span }) {
  if (!frames.length) {
    return <NoData fieldConfig={fieldConfig} />;
  }
  const legend = { ...LEGEND, ...panel.options.legend };
  return <ui.TimeSeries frames={frames} timeRange={span} timeZone="utc" width={width} height={height} legend={legend} options={panel.options} />;
}

function Rows({ panel, frames, fieldConfig, width, height }) {
  if (!frames.some((frame) => frame.length)) {
    return <NoData fieldConfig={fieldConfig} />;
  }
  if (frames.length > 1) {
    throw new Error(`a table of ${frames.length} frames`);
  }
  const { cellHeight, sortBy, showHeader } = panel.options;
  return (
    <TableNG
      data={frames[0]}
      width={width}
      height={height}
      noHeader={showHeader === false}
      sortBy={sortBy}
      cellHeight={cellHeight}
      fieldConfig={fieldConfig}
      noValue={fieldConfig.defaults.noValue}
      enableVirtualization={false}
      disableKeyboardEvents
    />
  );
}

exports.KINDS = { stat: Stat, bargauge: Bars, timeseries: Graph, table: Rows };
