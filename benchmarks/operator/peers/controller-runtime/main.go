// The controller of ImoocPods on controller-runtime, as one who knows that library writes it: cached
// reads, an index by owner, no rate limit in the client, managed fields dropped from the cache,
// creates and deletes in batches, one status patch, and nothing decided on a cache that has not seen
// this controller's own writes.
package main

import (
	"encoding/json"
	"flag"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func main() {
	workers := flag.Int("workers", 10, "reconciles at a time")
	template := flag.String("pod-template", "", "file with annotations and spec of the pods")
	elect := flag.Bool("leader-elect", false, "reconcile only while holding a lease")
	namespace := flag.String("namespace", "", "watch only this one")
	readable := flag.Bool("json", false, "JSON for pods too, for a proxy that looks into the traffic")
	flag.Parse() // --kubeconfig is controller-runtime's own
	ctrl.SetLogger(zap.New())

	content, err := os.ReadFile(*template)
	utilruntime.Must(err)
	var pod corev1.Pod
	utilruntime.Must(json.Unmarshal(content, &pod))

	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(addToScheme(scheme))

	config := ctrl.GetConfigOrDie()
	config.QPS = -1                  // the API server's priority and fairness rule, as is controller-runtime's default
	config.DisableCompression = true // as kube-controller-manager does: it costs more than it saves
	if *readable {
		config.ContentType = runtime.ContentTypeJSON
	}
	cached := cache.Options{DefaultTransform: cache.TransformStripManagedFields()}
	if *namespace != "" {
		cached.DefaultNamespaces = map[string]cache.Config{*namespace: {}}
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       server.Options{BindAddress: "0"},
		Cache:                         cached,
		LeaderElection:                *elect,
		LeaderElectionID:              "imoocpod-controller-runtime",
		LeaderElectionNamespace:       "default",
		LeaderElectionReleaseOnCancel: true,
	})
	utilruntime.Must(err)

	r := newReconciler(manager.GetClient(), pod)
	ctx := ctrl.SetupSignalHandler()
	utilruntime.Must(manager.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, byOwner, ownerUID))
	utilruntime.Must(ctrl.NewControllerManagedBy(manager).
		For(&ImoocPod{}).
		Watches(&corev1.Pod{}, r.podHandler()).
		WithOptions(controller.Options{MaxConcurrentReconciles: *workers}).
		Complete(r))
	utilruntime.Must(manager.Start(ctx))
}
