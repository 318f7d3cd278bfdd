"""All handlers in one object, as grpc wants them."""

from assay_metadata.service.comparing import Comparing
from assay_metadata.service.models import Models
from assay_metadata.service.namespaces import Namespaces
from assay_metadata.service.search import Search
from assay_metadata.service.stage_graphs import StageGraphs
from assay_metadata.service.targets import Targets
from assay_metadata.service.versions import Versions


class MetadataService(Namespaces, Models, Versions, Targets, StageGraphs, Search, Comparing):
    """Models, their versions, and the aliases and stages that those hold."""
