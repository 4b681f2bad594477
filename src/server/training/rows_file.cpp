#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "core/base/hash.hpp"
#include "core/traffic/schema.hpp"
#include "io/csv/number.hpp"
#include "io/csv/table.hpp"
#include "io/json/time_text.hpp"
#include "io/json/value.hpp"
#include "server/training/file_column.hpp"
#include "server/training/rows.hpp"

namespace liminal::training {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTime = "timestamp";
constexpr std::string_view kUser = "user_id";

std::optional<double> time_of(std::string_view text) {
  if (const auto number = csv::number(text); number && std::isfinite(*number)) return *number;
  if (const auto time = json::parse_time(text)) return seconds(time->time_since_epoch());
  return std::nullopt;
}

/// Takes rows field by field; complains in words.
class Filler {
 public:
  Filler(const learn::ModelDefinition& definition,
         const std::string& name,
         std::uint64_t bytes_max,
         const std::function<bool()>& cancelled)
      : definition_(definition), name_(name), bytes_max_(bytes_max), cancelled_(cancelled) {
    rows_.table = columns_of(definition);
  }

  /// `find(column)` gives a field's text, nothing where the row has none.
  template <class Find>
  std::optional<std::string> add(std::uint64_t line, Find find) {
    constexpr std::uint64_t kAskEvery = 1024;
    if (seen_++ % kAskEvery == 0 && cancelled_()) return "cancelled";
    learn::Table& table = rows_.table;
    const auto complain = [&](std::string_view column, std::string_view what) {
      return fmt::format("{}:{}: {} {}", name_, line, column, what);
    };
    if (!definition_.target.empty()) {
      const std::optional<std::string_view> field = find(definition_.target);
      if (!field || csv::is_missing(*field)) {
        ++left_out_;
        return std::nullopt;
      }
      if (definition_.task == models::Task::kClassification) {
        if (!add_class(*field))
          return complain(definition_.target, "is a third value: of classes there are two");
      } else {
        const auto label = csv::number(*field);
        if (!label) return complain(definition_.target, "is no number");
        target_precision_.add(*label);
        table.labels.push_back(static_cast<float>(*label));
      }
    }
    for (std::size_t f = 0; f < definition_.features.size(); ++f) {
      const std::string& feature = definition_.features[f];
      const std::optional<std::string_view> field = find(feature);
      const auto value = field ? csv::number(*field) : Result<double>(NAN);
      if (!value) return complain(feature, "is no number");
      precision_[f].add(*value);
      table.values.push_back(static_cast<float>(*value));
    }
    if (const auto field = find(kTime)) {
      const auto time = time_of(*field);
      if (!time) return complain(kTime, "is no time: RFC 3339 or seconds since the epoch");
      table.times_s.push_back(*time);
    }
    if (const auto field = find(kUser); field && !field->empty())
      table.groups.push_back(hash64(*field));
    if (sizeof(float) * table.values.size() > bytes_max_)
      return fmt::format(
          "{}:{}: the rows so far take more than {} MiB, which is what may be read; {}",
          name_,
          line,
          bytes_max_ >> 20,
          cluster_trains(definition_) ? "the trainer ray with \"distributed\": true reads more"
                                      : "give it fewer, or raise models.rows_bytes_max");
    if (table.rows() > learn::Table::kRowsMax)
      return fmt::format("{}: has more than {} rows", name_, learn::Table::kRowsMax);
    return std::nullopt;
  }

  Rows finish() && {
    learn::Table& table = rows_.table;
    name_classes();
    for (std::size_t f = 0; f < precision_.size(); ++f)
      if (auto note = precision_[f].note(definition_.features[f]))
        rows_.notes.push_back(std::move(*note));
    if (auto note = target_precision_.note(definition_.target))
      rows_.notes.push_back(std::move(*note));
    rows_.notes.push_back(fmt::format("{} rows of {}", table.rows(), name_));
    if (left_out_ > 0)
      rows_.notes.push_back(
          fmt::format("{} rows without {} are left out", left_out_, definition_.target));
    // Known of some rows only is not known.
    if (table.times_s.size() != table.rows()) table.times_s.clear();
    if (table.groups.size() != table.rows()) {
      if (!table.groups.empty())
        rows_.notes.push_back(
            fmt::format("{} rows without {}: all are taken for users of their own",
                        table.rows() - table.groups.size(),
                        kUser));
      table.groups.clear();
    }
    return std::move(rows_);
  }

 private:
  /// Labels are the places of their texts until all were seen. False for a third text.
  bool add_class(std::string_view field) {
    // What a flag is called in JSON and in a table is one, and a number however it is written.
    const auto number = csv::number(field);
    const std::string text = number             ? fmt::format("{}", *number)
                             : field == "true"  ? "1"
                             : field == "false" ? "0"
                                                : std::string(field);
    std::size_t place = 0;
    while (place < classes_.size() && classes_[place] != text) ++place;
    if (place == 2) return false;
    if (place == classes_.size()) classes_.push_back(text);
    rows_.table.labels.push_back(static_cast<float>(place));
    return true;
  }

  void name_classes() {
    if (classes_.empty()) return;
    // One class alone is named by what 0 means; that the other is missing is said by who learns.
    const bool zero = csv::number(classes_[0]).value_or(1) == 0;
    const bool swap = classes_.size() == 1
                          ? !zero
                          : two_classes(classes_[0], classes_[1]).positive == classes_[0];
    if (swap)
      for (float& label : rows_.table.labels) label = 1 - label;
    const auto usual = [](const std::string& text) { return text == "0" || text == "1"; };
    if (classes_.size() == 2 && !(usual(classes_[0]) && usual(classes_[1])))
      rows_.notes.push_back(fmt::format("{} is \"{}\" where it is positive, else \"{}\"",
                                        definition_.target,
                                        classes_[swap ? 0 : 1],
                                        classes_[swap ? 1 : 0]));
  }

  const learn::ModelDefinition& definition_;
  const std::string& name_;
  const std::uint64_t bytes_max_;
  const std::function<bool()>& cancelled_;
  std::uint64_t seen_ = 0;
  Rows rows_;
  std::vector<std::string> classes_;  ///< what labels of classes say, as they came
  std::vector<Precision> precision_{definition_.features.size()};
  Precision target_precision_;
  std::size_t left_out_ = 0;
};

/// The first in the alphabet of the names that more than one column has.
std::optional<std::string> named_twice(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  const auto twice =
      std::adjacent_find(names.begin(), names.end(), [](const auto& one, const auto& other) {
        return !one.empty() && one == other;
      });
  return twice == names.end() ? std::nullopt : std::optional(*twice);
}

std::optional<std::string> read_csv(std::istream& in,
                                    const std::string& name,
                                    const learn::ModelDefinition& definition,
                                    Filler& filler) {
  auto table = csv::Table::open(in, {.header = csv::Header::kPresent});
  if (!table) return csv::text(table.error(), name);
  for (const std::string& feature : definition.features)
    if (!table->find(feature)) return fmt::format("{}: has no column {}", name, feature);
  if (!definition.target.empty() && !table->find(definition.target))
    return fmt::format("{}: has no column {}", name, definition.target);
  const auto& names = table->names();
  if (const auto twice = named_twice(names))
    return fmt::format("{}: has the column {} twice", name, *twice);
  for (;;) {
    const auto more = table->next();
    if (!more) return csv::text(more.error(), name);
    if (!*more) return std::nullopt;
    const auto find = [&](std::string_view column) -> std::optional<std::string_view> {
      const auto found = std::find(names.begin(), names.end(), column);
      if (found == names.end()) return std::nullopt;
      return table->field(static_cast<std::size_t>(found - names.begin()));
    };
    if (auto wrong = filler.add(table->line(), find)) return wrong;
  }
}

std::string text_of(const json::Value& value) {
  if (const auto* text = value.as<std::string>()) return *text;
  if (const auto* number = value.as<double>()) return fmt::format("{}", *number);
  if (const auto* number = value.as<std::int64_t>()) return fmt::format("{}", *number);
  if (const auto* truth = value.as<bool>()) return *truth ? "true" : "false";
  return {};
}

std::optional<std::string> read_lines(std::istream& in, const std::string& name, Filler& filler) {
  std::string line;
  for (std::uint64_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \r\t") == std::string::npos) continue;
    const auto value = json::parse(line);
    const auto* object = value ? value->as<json::Value::Object>() : nullptr;
    if (object == nullptr) return fmt::format("{}:{}: is no JSON object", name, number);
    std::vector<std::pair<std::string_view, std::string>> fields;
    for (const auto& [key, each] : *object)
      if (each.as<std::nullptr_t>() == nullptr) fields.emplace_back(key, text_of(each));
    const auto find = [&](std::string_view column) -> std::optional<std::string_view> {
      for (const auto& [key, text] : fields)
        if (key == column) return text;
      return std::nullopt;
    };
    if (auto wrong = filler.add(number, find)) return wrong;
  }
  return std::nullopt;
}

/// A path that is there and inside a folder.
std::optional<fs::path> inside(const std::string& folder, const std::string& name) {
  if (name.find('\0') != std::string::npos) return std::nullopt;
  std::error_code error;
  const auto root = fs::canonical(folder, error);
  if (error) return std::nullopt;
  auto wanted = fs::canonical(root / name, error);
  if (error) return std::nullopt;
  const auto [in_root, in_wanted] =
      std::mismatch(root.begin(), root.end(), wanted.begin(), wanted.end());
  if (in_root != root.end() || in_wanted == wanted.end()) return std::nullopt;
  return wanted;
}

/// Of `kSpreadForms`, by the name; empty for others.
std::string_view form_of(std::string_view file) {
  for (const std::string_view form : kSpreadForms)
    if (file.ends_with(form)) return form;
  return {};
}

}  // namespace

tl::expected<Rows, std::string> read_rows(const learn::ModelDefinition& definition,
                                          const std::string& path,
                                          std::uint64_t bytes_max,
                                          const std::function<bool()>& cancelled) {
  using Failed = tl::unexpected<std::string>;
  const std::string name = std::filesystem::path(path).filename().string();
  std::ifstream in(path, std::ios::binary);
  if (!in) return Failed(name + ": cannot be read");
  Filler filler(definition, name, bytes_max, cancelled);
  const bool lines = path.ends_with(".ndjson") || path.ends_with(".jsonl");
  auto wrong = lines ? read_lines(in, name, filler) : read_csv(in, name, definition, filler);
  if (wrong) return Failed(std::move(*wrong));
  return std::move(filler).finish();
}

std::optional<std::string> path_inside(const std::string& folder, const std::string& name) {
  auto wanted = inside(folder, name);
  std::error_code error;
  if (!wanted || !fs::is_regular_file(*wanted, error)) return std::nullopt;
  return wanted->string();
}

FilesInside files_inside(const std::string& folder, const std::string& name) {
  if (auto file = path_inside(folder, name))
    return {{*file}, form_of(*file).empty() ? "is no .csv, .ndjson, .jsonl or .parquet" : ""};
  FilesInside found;
  std::error_code error;
  const auto wanted = inside(folder, name);
  if (!wanted || !fs::is_directory(*wanted, error)) {
    found.wrong = "is no file or folder inside the folder of files to train from";
    return found;
  }
  std::set<std::string_view> forms;
  for (fs::directory_iterator each(*wanted, error), end; !error && each != end;
       each.increment(error)) {
    const std::string own = each->path().filename().string();
    if (own.starts_with('.') || own.starts_with('_')) continue;
    const auto form = form_of(own);
    const auto file = path_inside(folder, each->path().string());
    if (form.empty() || !file) {
      found.wrong = "has " + own + ", which is no file of rows inside the folder to train from";
      return found;
    }
    forms.insert(form == ".jsonl" ? ".ndjson" : form);
    found.paths.push_back(*file);
  }
  if (error) found.wrong = "cannot be read: " + error.message();
  if (found.paths.empty() && !error) found.wrong = "has no file of rows";
  if (forms.size() > 1) found.wrong = "has files of more than one form";
  std::sort(found.paths.begin(), found.paths.end());
  return found;
}

learn::Table columns_of(const learn::ModelDefinition& definition) {
  learn::Table table;
  for (const std::string& feature : definition.features) {
    const auto id = traffic::feature_by_name(feature);
    table.features.push_back(
        {feature, id ? std::string(traffic::info(*id).unit) : std::string(), {}});
  }
  return table;
}

}  // namespace liminal::training
