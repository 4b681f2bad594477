#include "service.hpp"

#include <future>
#include <stdexcept>
#include <utility>

#include "cluster.hpp"
#include "core/limits/options.hpp"
#include "io/json/fields.hpp"
#include "server/api/answers.hpp"

namespace liminal::python {
namespace {

/// Where nothing is to be kept: what is written is gone, and there is nothing to read. Thread-safe.
class NoFileSystem final : public files::FileSystem {
 public:
  Result<std::unique_ptr<files::WritableFile>> create(const std::string&) override {
    return std::make_unique<Gone>();
  }
  Result<std::unique_ptr<files::WritableFile>> append_to(const std::string&) override {
    return std::make_unique<Gone>();
  }
  Result<std::string> read_head(const std::string&, std::size_t) override {
    return failure(ErrorCode::kMissing);
  }
  Result<std::string> read(const std::string&, std::size_t) override {
    return failure(ErrorCode::kMissing);
  }
  Result<std::vector<files::FileEntry>> list(const std::string&) override {
    return std::vector<files::FileEntry>{};
  }
  Result<void> rename(const std::string&, const std::string&) override { return {}; }
  Result<void> remove(const std::string&) override { return {}; }
  Result<void> truncate(const std::string&, std::uint64_t) override { return {}; }
  Result<void> create_folder(const std::string&) override { return {}; }
  Result<void> sync_folder(const std::string&) override { return {}; }

 private:
  class Gone final : public files::WritableFile {
   public:
    Result<std::size_t> write_some(std::string_view bytes) override { return bytes.size(); }
    Result<void> sync() override { return {}; }
  };
};

std::unique_ptr<files::FileSystem> file_system(const std::string& folder) {
  if (folder.empty()) return std::make_unique<NoFileSystem>();
  return std::make_unique<files::PosixFileSystem>();
}

std::string folder_of(const ServiceOptions& options, const char* part) {
  return options.folder + "/" + part;
}

api::Options api_options(const ServiceOptions& options) {
  api::Options api;
  api.access.token = options.token;
  api.access.trust_proxy = options.trust_proxy;
  // Who serves this in a program of their own limits requests there.
  api.access.requests_per_second = 0;
  api.version = options.version;
  return api;
}

MetricsOf::Owns ownership(const ServiceOptions& options) {
  if (options.owners <= 1) return {};
  return [place = options.place, owners = options.owners](std::string_view source) {
    return owner_of(shard_of(traffic::Name(source).hash), owners) == place;
  };
}

signals::ScalingOptions scaling_options(const ServiceOptions& options) {
  signals::ScalingOptions scaling;
  scaling.folder = folder_of(options, "scaling");
  return scaling;
}

}  // namespace

HttpService::HttpService(std::shared_ptr<Engine> engine, const ServiceOptions& options)
    : engine_(std::move(engine)),
      files_(file_system(options.folder)),
      backend_(engine_),
      metrics_(*engine_, folder_of(options, "metrics"), *files_, ownership(options)),
      service_(api_options(options), backend_),
      scaling_(scaling_options(options), *files_) {
  (void)files_->create_folder(folder_of(options, "metrics"));
  service_.attach(backend_.salience());
  service_.attach(metrics_);
  service_.attach(scaling_);
  open_models(options);
}

void HttpService::open_models(const ServiceOptions& options) {
  if (options.models == ModelsAt::kNowhere) return;
  if (options.models == ModelsAt::kCopies) {
    copies_ = std::make_unique<ModelCopies>(options.foreign);
    const auto ready = options.foreign_required ? copies_->ready() : learn::Asked<void>{};
    if (!ready) throw std::runtime_error("models: " + ready.error().text);
    return service_.attach(*copies_);
  }
  constexpr std::size_t kRowsMax = 200'000, kAlertsMax = 50'000;
  ModelsOf::Sources sources;
  sources.now = [this] { return engine_->now(); };
  if (options.models == ModelsAt::kHere) {
    sources.material = [this] {
      return Material{engine_->rows(kRowsMax, ""),
                      engine_->alerts(kAlertsMax, traffic::Severity::kLow)};
    };
  } else {
    sources.material = [this] {
      const std::lock_guard lock(material_mutex_);
      return material_;
    };
  }
  ModelOptions of;
  of.folder = folder_of(options, "models");
  of.definitions = options.definitions;
  of.fits = options.fits;
  of.foreign = options.foreign;
  auto models = ModelsOf::open(*files_, of, std::move(sources));
  if (!models) throw std::runtime_error("models: " + models.error());
  models_ = std::move(*models);
  backend_.attach(models_.get());
  service_.attach(*models_);
}

std::string HttpService::restore_limits(std::string_view policies) {
  limits::Options options = engine_->settings()->options.limits;
  const Result<json::Value> value = json::parse(policies);
  if (!value) return "is no JSON";
  Problems problems;
  api::read_policies(json::Fields(*value, "", problems), options);
  if (problems.empty()) problems = limits::validate(options);
  if (!problems.empty()) return problems.front().key + " " + problems.front().text;
  backend_.restore_limits(std::move(options));
  return {};
}

void HttpService::learn_from(Material material) {
  const std::lock_guard lock(material_mutex_);
  material_ = std::move(material);
}

HttpService::~HttpService() { ending_.emplace(); }

http::Response HttpService::handle(http::Request request) {
  // Shared: the thread that answers may still be at `set_value` when this returns.
  const auto answered = std::make_shared<std::promise<http::Response>>();
  auto answer = answered->get_future();
  service_.handle(std::move(request), [answered](http::Response response) {
    answered->set_value(std::move(response));
  });
  return answer.get();
}

HttpService::Routed HttpService::route_events(http::Request request, std::size_t owners) {
  Routed routed;
  const std::lock_guard lock(routing_);
  backend_.divert([&](std::vector<traffic::StoredEvent> events) {
    routed.batches = encode_by_owner(events, owners);
  });
  routed.response = handle(std::move(request));
  backend_.divert({});
  return routed;
}

Result<void> HttpService::save() {
  const Result<void> services = scaling_.save();
  const Result<void> metrics = metrics_.save();
  return services ? metrics : services;
}

}  // namespace liminal::python
