#pragma once

#include "core/traffic/alert.hpp"
#include "core/traffic/record.hpp"
#include "io/json/writer.hpp"

namespace liminal::json {

/// Each feature by its name, as fields of the object that is open.
void write_feature_fields(const traffic::Features& features, Writer& out);

/// An object of the features: schema `Features` of api/openapi.yaml.
void write(const traffic::Features& features, Writer& out);

/// Schema `FeatureRow`.
void write(const traffic::FeatureRow& row, Writer& out);

/// Schema `Alert`: score, confidence, mode, explanation and recommended action are those of its
/// worst finding. An alert with number 0 was never raised: its id is null.
void write(const traffic::Alert& alert, Writer& out);

/// The same with its salience, 0–1.
void write(const traffic::Alert& alert, double salience, Writer& out);

/// The first as fields of the object that is open, for whoever adds to them.
void write_alert_fields(const traffic::Alert& alert, Writer& out);

/// Schema `Judgement`.
void write(const traffic::Finding& finding, Writer& out);

/// Schema `Override`.
void write(const traffic::Override& decision, Writer& out);

}  // namespace liminal::json
