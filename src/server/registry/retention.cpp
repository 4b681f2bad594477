#include "server/registry/retention.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "server/registry/registry.hpp"

namespace liminal::registry {

std::vector<std::uint32_t> outdated(const std::vector<learn::ModelVersion>& versions,
                                    std::size_t kept,
                                    const std::set<std::uint32_t>& held) {
  std::set<std::uint32_t> stay = held;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    if (i >= kept && !held.contains(versions[i].number)) continue;
    stay.insert(versions[i].number);
    if (versions[i].parent) stay.insert(*versions[i].parent);
  }
  std::vector<std::uint32_t> gone;
  for (const learn::ModelVersion& version : versions)
    if (!stay.contains(version.number)) gone.push_back(version.number);
  return gone;
}

std::optional<std::pair<std::string, std::uint32_t>> version_of_file(std::string_view name) {
  constexpr std::string_view kEnd = ".onnx";
  if (!name.ends_with(kEnd)) return std::nullopt;
  name.remove_suffix(kEnd.size());
  for (const std::string_view kind : {Registry::kJudged, Registry::kBatches})
    if (name.ends_with(kind)) name.remove_suffix(kind.size());
  const std::size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const std::string_view digits = name.substr(dash + 1);
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size() || number == 0)
    return std::nullopt;
  return std::pair{std::string(name.substr(0, dash)), number};
}

void Registry::remove_files(const std::string& model, std::uint32_t version) const {
  // What stays behind is swept at the next start.
  for (const std::string_view kind : {std::string_view(), kJudged, kBatches})
    (void)system_.remove(path(model, version, kind));
}

void Registry::prune(Model& model) {
  const std::string& name = model.definition.name;
  const auto last = records_.last_champion(name);
  const auto compared = records_.versions_of_experiments(name);
  if (!last || !compared) return;  // tried again after the next version
  std::set<std::uint32_t> held(compared->begin(), compared->end());
  if (*last) held.insert(**last);
  for (const auto& number : model.number)
    if (number) held.insert(*number);
  const std::vector<std::uint32_t> gone = outdated(model.versions, options_.versions_kept, held);
  if (gone.empty()) return;
  if (!records_.remove_versions(name, gone)) return;
  {
    const std::lock_guard shortly(mutex_);
    std::erase_if(model.versions, [&](const learn::ModelVersion& version) {
      if (std::find(gone.begin(), gone.end(), version.number) == gone.end()) return false;
      if (version.job != 0 && version.parent) ++model.went[*version.parent];
      return true;
    });
    for (const std::uint32_t version : gone) model.went.erase(version);
    for (const std::uint32_t version : gone)
      for (const std::string_view kind : {std::string_view(), kBatches})
        others_.erase(path(name, version, kind));
  }
  for (const std::uint32_t version : gone) remove_files(name, version);
}

void Registry::sweep(const std::vector<learn::ModelVersion>& versions) const {
  const auto files = system_.list(options_.folder);
  if (!files) return;
  std::map<std::string, std::set<std::uint32_t>> known;
  for (const learn::ModelVersion& version : versions) known[version.model].insert(version.number);
  for (const files::FileEntry& file : *files) {
    const auto of = version_of_file(file.name);
    if (!of) continue;
    const auto model = known.find(of->first);
    // What is newer than all is of a publication that a kill cut off, and is written over.
    if (model == known.end() || of->second > *model->second.rbegin()) continue;
    if (!model->second.contains(of->second)) remove_files(of->first, of->second);
  }
}

}  // namespace liminal::registry
