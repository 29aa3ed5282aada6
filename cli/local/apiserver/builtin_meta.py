"""Fields of the metadata types and of the small built-in kinds (format: typetable.py).

Source: the Kubernetes API reference.
"""

META = """
ObjectMeta
  name string
  generateName string
  namespace string
  selfLink string
  uid string
  resourceVersion string
  generation int64
  creationTimestamp Time
  deletionTimestamp Time
  deletionGracePeriodSeconds int64?
  labels map[string]string
  annotations map[string]string
  ownerReferences []OwnerReference key=uid
  finalizers []string set
  managedFields []ManagedFieldsEntry
OwnerReference
  apiVersion string!
  kind string!
  name string!
  uid string!
  controller bool?
  blockOwnerDeletion bool?
ManagedFieldsEntry
  manager string
  operation string
  apiVersion string
  time Time
  fieldsType string
  fieldsV1 any
  subresource string
LabelSelector
  matchLabels map[string]string
  matchExpressions []LabelSelectorRequirement
LabelSelectorRequirement
  key string!
  operator string!
  values []string
Condition
  type string!
  status string!
  observedGeneration int64
  lastTransitionTime Time!
  reason string!
  message string!
ObjectReference
  kind string
  namespace string
  name string
  uid string
  apiVersion string
  resourceVersion string
  fieldPath string
LocalObjectReference
  name string
"""

REQUESTS = """
DeleteOptions
  apiVersion string
  kind string
  gracePeriodSeconds int64?
  preconditions Preconditions
  orphanDependents bool?
  propagationPolicy string?
  dryRun []string
  ignoreStoreReadErrorWithClusterBreakingPotential bool?
Preconditions
  uid string?
  resourceVersion string?
Scale
  apiVersion string
  kind string
  metadata ObjectMeta
  spec ScaleSpec
  status any
ScaleSpec
  replicas int32
Binding
  apiVersion string
  kind string
  metadata ObjectMeta
  target ObjectReference
Eviction
  apiVersion string
  kind string
  metadata ObjectMeta
  deleteOptions DeleteOptions
"""

KINDS = """
Namespace
  apiVersion string
  kind string
  metadata ObjectMeta
  spec NamespaceSpec!
  status NamespaceStatus!
NamespaceSpec
  finalizers []string
NamespaceStatus
  phase string
  conditions []NamespaceCondition key=type
NamespaceCondition
  type string!
  status string!
  lastTransitionTime Time!
  reason string
  message string
Event
  apiVersion string
  kind string
  metadata ObjectMeta
  involvedObject ObjectReference!
  reason string
  message string
  source EventSource!
  firstTimestamp Time!
  lastTimestamp Time!
  count int32
  type string
  eventTime MicroTime!
  series EventSeries
  action string
  related ObjectReference
  reportingComponent string!
  reportingInstance string!
EventSource
  component string
  host string
EventSeries
  count int32
  lastObservedTime MicroTime!
Secret
  apiVersion string
  kind string
  metadata ObjectMeta
  immutable bool?
  data map[string]bytes
  stringData map[string]string
  type string
ConfigMap
  apiVersion string
  kind string
  metadata ObjectMeta
  immutable bool?
  data map[string]string
  binaryData map[string]bytes
ServiceAccount
  apiVersion string
  kind string
  metadata ObjectMeta
  secrets []ObjectReference key=name
  imagePullSecrets []LocalObjectReference
  automountServiceAccountToken bool?
Lease
  apiVersion string
  kind string
  metadata ObjectMeta
  spec LeaseSpec!
LeaseSpec
  holderIdentity string?
  leaseDurationSeconds int32?
  acquireTime MicroTime
  renewTime MicroTime
  leaseTransitions int32?
  strategy string?
  preferredHolder string?
Service
  apiVersion string
  kind string
  metadata ObjectMeta
  spec ServiceSpec!
  status ServiceStatus!
ServiceSpec
  ports []ServicePort keys=port,protocol
  selector map[string]string one
  clusterIP string
  clusterIPs []string
  type string
  externalIPs []string
  sessionAffinity string
  sessionAffinityConfig any
  loadBalancerIP string
  loadBalancerSourceRanges []string
  loadBalancerClass string?
  externalName string
  externalTrafficPolicy string
  healthCheckNodePort int32
  publishNotReadyAddresses bool
  ipFamilies []string
  ipFamilyPolicy string?
  allocateLoadBalancerNodePorts bool?
  internalTrafficPolicy string?
  trafficDistribution string?
ServicePort
  name string
  protocol string
  appProtocol string?
  port int32!
  targetPort IntOrString!
  nodePort int32
ServiceStatus
  loadBalancer any!
  conditions []Condition key=type
CustomResourceDefinition
  apiVersion string
  kind string
  metadata ObjectMeta
  spec CustomResourceDefinitionSpec
  status CustomResourceDefinitionStatus
CustomResourceDefinitionSpec
  group string!
  names CustomResourceDefinitionNames
  scope string!
  versions []CustomResourceDefinitionVersion
  conversion any
  preserveUnknownFields bool
CustomResourceDefinitionNames
  plural string!
  singular string
  shortNames []string
  kind string!
  listKind string
  categories []string
CustomResourceDefinitionVersion
  name string!
  served bool!
  storage bool!
  deprecated bool
  deprecationWarning string?
  schema CustomResourceValidation
  subresources CustomResourceSubresources
  additionalPrinterColumns []CustomResourceColumnDefinition
  selectableFields []SelectableField
CustomResourceValidation
  openAPIV3Schema any
CustomResourceSubresources
  status any
  scale CustomResourceSubresourceScale
CustomResourceSubresourceScale
  specReplicasPath string!
  statusReplicasPath string!
  labelSelectorPath string?
CustomResourceColumnDefinition
  name string!
  type string!
  format string
  description string
  priority int32
  jsonPath string!
SelectableField
  jsonPath string!
CustomResourceDefinitionCondition
  type string!
  status string!
  lastTransitionTime Time
  reason string
  message string
  observedGeneration int64
CustomResourceDefinitionStatus
  conditions []CustomResourceDefinitionCondition key=type
  acceptedNames CustomResourceDefinitionNames
  storedVersions []string
  observedGeneration int64
"""
