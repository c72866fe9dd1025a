package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var groupVersion = schema.GroupVersion{Group: "k8s.imooc.com", Version: "v1alpha1"}

// ImoocPod has the fields that this controller reads or writes.
type ImoocPod struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ImoocPodSpec   `json:"spec"`
	Status            ImoocPodStatus `json:"status"`
}

type ImoocPodSpec struct {
	Replicas int `json:"replicas"`
}

type ImoocPodStatus struct {
	Replicas           int      `json:"replicas"`
	PodNames           []string `json:"podNames"`
	ObservedGeneration int64    `json:"observedGeneration"`
}

type ImoocPodList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []ImoocPod `json:"items"`
}

func (in *ImoocPod) deepCopy() *ImoocPod {
	out := *in
	out.ObjectMeta = *in.ObjectMeta.DeepCopy()
	out.Status.PodNames = append([]string(nil), in.Status.PodNames...)
	return &out
}

func (in *ImoocPod) DeepCopyObject() runtime.Object { return in.deepCopy() }

func (in *ImoocPodList) DeepCopyObject() runtime.Object {
	out := *in
	out.ListMeta = *in.ListMeta.DeepCopy()
	out.Items = make([]ImoocPod, len(in.Items))
	for i := range in.Items {
		out.Items[i] = *in.Items[i].deepCopy()
	}
	return &out
}

func addToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(groupVersion, &ImoocPod{}, &ImoocPodList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	return nil
}
